using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>Paints features into scenes without their element, and removes them from scenes with it. The probe says what is there
/// then.</summary>
internal sealed class SteeringEvaluation(MiniModel model, SaeSet saes, MiniEvaluationOptions options)
{
    private const int PaintPurpose = 24, RemovePurpose = 25, Batch = 10;

    /// <summary>What strength -1 of mode scale is: the feature's contribution is gone.</summary>
    public const double Removal = -1;

    /// <summary>
    /// Measures elements in parallel, each on one thread: for a model this small that uses the cores better than several threads in one
    /// run.
    /// </summary>
    /// <param name="folder">The model folder.</param>
    /// <param name="progress">Receives the number of elements done.</param>
    /// <returns>In the order of the elements.</returns>
    public static T[] OfEach<T>(string folder, SaeSet saes, IReadOnlyList<SteeringElement> elements, MiniEvaluationOptions options,
        Device device, Func<SteeringEvaluation, SteeringElement, T> measure, Action<int> progress, CancellationToken cancellation)
    {
        if (elements.Count == 0)
            return [];
        var findings = new T[elements.Count];
        var workers = Math.Min(elements.Count, device.type == DeviceType.CPU ? Environment.ProcessorCount : 1);
        var (next, done) = (-1, 0);
        Parallel.For(0, workers, new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation }, _ =>
        {
            var threads = Threads.Count;
            if (workers > 1)
                Threads.Use(1);
            using var noGrad = no_grad();
            using var model = new MiniModel(folder, device, options.Dtype);
            var steering = new SteeringEvaluation(model, saes, options);
            for (var i = Interlocked.Increment(ref next); i < elements.Count; i = Interlocked.Increment(ref next))
            {
                findings[i] = measure(steering, elements[i]);
                progress(Interlocked.Increment(ref done));
            }
            Threads.Use(threads);
        });
        return findings;
    }

    /// <param name="features">The feature for this element at each site that has one.</param>
    public IReadOnlyList<PaintingFigures> Run(SteeringElement element, IReadOnlyList<(Site Site, LabelFeature Feature)> features,
        CancellationToken cancellation)
    {
        FeatureEdit[] edits = [.. features.Select(one => new FeatureEdit(one.Site, one.Feature.Feature, options.Strength))];
        var painted = Run(SteeringTask.Paint, element, edits, new(PaintPurpose, options.Scenes), cancellation);
        var removed = Run(SteeringTask.Remove, element, [.. edits.Select(edit => edit with { Mode = EditMode.Scale, Strength = Removal })],
            new(RemovePurpose, options.Scenes), cancellation);
        return
        [
            .. features.Select((one, i) => PaintingFigures.Of(element.Name, one.Site, one.Feature, painted[i].Tally, removed[i].Tally)),
        ];
    }

    /// <summary>
    /// Paints an element by each edit alone into scenes without it, or takes it out of scenes with it by each edit alone.
    /// </summary>
    public SteeringOutcome[] Run(SteeringTask task, SteeringElement element, IReadOnlyList<FeatureEdit> edits, SceneSet scenes,
        CancellationToken cancellation) =>
        Run(task, element, [.. edits.Select(edit => (IReadOnlyList<FeatureEdit>)[edit])], scenes, cancellation);

    /// <summary>The same by several edits at a time.</summary>
    /// <param name="ways">The edits that act together, in the order of the U-Net.</param>
    public SteeringOutcome[] Run(SteeringTask task, SteeringElement element, IReadOnlyList<IReadOnlyList<FeatureEdit>> ways,
        SceneSet scenes, CancellationToken cancellation)
    {
        SteeringOutcome[] outcomes = [.. ways.Select(_ => new SteeringOutcome())];
        foreach (var numbers in Enumerable.Range(0, ways.Count > 0 ? scenes.Count : 0).Chunk(Batch))
        {
            var drawn = numbers.Select(i => RandomAt.Place(options.Seed, scenes.Purpose, element.Label, i)).Select(random =>
                task == SteeringTask.Remove ? SteeringScene.With(random, element)
                : scenes.AreOccupied ? SteeringScene.Occupied(random, element)
                : SteeringScene.Unrelated(random, element));
            Run(task, [.. drawn.OfType<SteeringScene>()], element, ways, outcomes, scenes, cancellation);
        }
        return outcomes;
    }

    private void Run(SteeringTask task, SteeringScene[] scenes, SteeringElement element, IReadOnlyList<IReadOnlyList<FeatureEdit>> ways,
        SteeringOutcome[] outcomes, SceneSet set, CancellationToken cancellation)
    {
        if (scenes.Length == 0)
            return;
        using var scope = NewDisposeScope();
        var probes = new SceneProbe[scenes.Length];
        Parallel.For(0, scenes.Length, i => probes[i] = new SceneProbe(scenes[i].Answers, scenes[i].Cells));
        using var run = model.Run([.. scenes.Select(scene => scene.Captioned)]);
        var before = model.Autoencoder.Decode(run.Latents, cancellation);
        var plain = PictureBytes.ForProbe(before);
        var was = Read(plain);
        var masks = scenes.Select(scene => scene.Cells).ToArray();
        var cells = TrainingBatch.Masks(masks, before.device);
        var inside = Regions.Enlarge(cells, before.shape[2] / CellMask.Side);
        var near = set.IsNear ? NearCells.Of(masks) : null;
        foreach (var (outcome, way) in outcomes.Zip(ways))
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            (Site Site, BlockEdit Edit)[] edits =
                [.. way.Select(edit => (edit.Site, new MaskedEdit(Edits.From(edit, saes[edit.Site], guided: false), cells)))];
            var latents = run.Edited(edits);
            foreach (var (_, edit) in edits)
                edit.Dispose();
            var after = model.Autoencoder.Decode(near?.Cut(latents) ?? latents, cancellation);
            var pictures = near?.PutInto(plain, after) ?? PictureBytes.ForProbe(after);
            var changes = near is null ? Changes(before, after, inside) : new (double, double)[scenes.Length];
            foreach (var (i, reading) in Read(pictures).Index())
            {
                outcome.Tally.Add(task, was[i].Reading, reading.Reading, changes[i]);
                outcome.Add(IsWanted(was[i].Answer), IsWanted(reading.Answer));
                outcome.Distance += probes[i].DistanceTo(IsWanted, pictures[i]);
            }
        }

        bool IsWanted(string answer) => task == SteeringTask.Paint ? answer == element.Name
            : element.Kind is null ? answer != element.Name : answer == SceneQuestions.Nothing;

        (string Answer, PictureReading Reading)[] Read(byte[][] pictures) =>
        [
            .. pictures.Zip(probes, (picture, probe) => probe.Ask(picture))
                .Select(answer => (answer, new PictureReading(answer == element.Name, [], false))),
        ];
    }

    // The mean change of each picture inside and outside its cells.
    private static (double Inside, double Outside)[] Changes(Tensor before, Tensor after, Tensor inside)
    {
        using var scope = NewDisposeScope();
        var changed = (after.Between(-1, 1) - before.Between(-1, 1)).abs().mean([1L], keepdim: true);
        return [.. Means(inside).Zip(Means(inside.SubtractedFrom(1)), (one, other) => ((double)one, (double)other))];

        float[] Means(Tensor part) => ((changed * part).sum([1L, 2, 3]) / part.sum([1L, 2, 3])).cpu().data<float>().ToArray();
    }
}

/// <summary>Scenes to steer in.</summary>
/// <param name="Purpose">Scenes of different purposes differ.</param>
/// <param name="IsNear">Looks only near the cells, which is faster: what changes elsewhere stays unknown.</param>
/// <param name="AreOccupied">Whether another thing stands where a thing is painted.</param>
internal sealed record SceneSet(int Purpose, int Count, bool IsNear = false, bool AreOccupied = false);

/// <summary>What an edit did in several scenes.</summary>
internal sealed class SteeringOutcome
{
    private int _possible, _works;

    public SteeringTally Tally { get; } = new();

    /// <summary>
    /// Share of the scenes that show what is wanted, of those that did not before: the element, or, where it is taken out, what is behind
    /// it, which is nothing in place of a thing.
    /// </summary>
    public double Works => _possible > 0 ? (double)_works / _possible : 0;

    /// <summary>
    /// How far the pictures are from those that truly show the element there (<see cref="SceneProbe.DistanceTo"/>), or, where it is taken
    /// out, what is behind it; summed.
    /// </summary>
    public double Distance { get; set; }

    public void Add(bool before, bool after)
    {
        _possible += before ? 0 : 1;
        _works += !before && after ? 1 : 0;
    }
}

/// <summary>A square of cells around the cells of each scene of a batch, all of one size.</summary>
internal sealed class NearCells
{
    // The decoder looks hardly further: two cells are 8 latents.
    private const int Margin = 2;

    private NearCells(int side, (int Row, int Column)[] corners) => (Side, Corners) = (side, corners);

    /// <summary>In cells.</summary>
    public int Side { get; }

    /// <summary>The first cell of each square.</summary>
    public IReadOnlyList<(int Row, int Column)> Corners { get; }

    public static NearCells Of(IReadOnlyList<CellMask> masks)
    {
        var rows = masks.Select(mask => Bounds(row => Enumerable.Range(0, CellMask.Side).Any(column => mask[row, column]))).ToArray();
        var columns = masks.Select(mask => Bounds(column => Enumerable.Range(0, CellMask.Side).Any(row => mask[row, column]))).ToArray();
        var side = Math.Min(CellMask.Side, rows.Concat(columns).Max(bounds => bounds.Length) + 2 * Margin);
        return new(side, [.. rows.Zip(columns, (row, column) => (Corner(row), Corner(column)))]);

        int Corner((int First, int Length) bounds) =>
            Math.Clamp(bounds.First - (side - bounds.Length) / 2, 0, CellMask.Side - side);
    }

    /// <summary>Latents [B, C, h, w] of the squares alone.</summary>
    public Tensor Cut(Tensor latents)
    {
        var scale = latents.shape[2] / CellMask.Side;
        return stack(Corners.Select((corner, i) => latents[i]
            .narrow(1, corner.Row * scale, Side * scale).narrow(2, corner.Column * scale, Side * scale)));
    }

    /// <summary>Pictures [row, column, colour] of the size of the probe, with decoded squares [B, 3, side, side] in their places.</summary>
    public byte[][] PutInto(byte[][] pictures, Tensor decoded)
    {
        const int scale = SceneProbe.Size / CellMask.Side, row = SceneProbe.Size * 3;
        var (side, put) = (Side * scale, pictures.Select(picture => picture.AsSpan().ToArray()).ToArray());
        foreach (var (i, square) in PictureBytes.ForProbe(decoded, side).Index())
            for (var line = 0; line < side; line++)
                square.AsSpan(line * side * 3, side * 3)
                    .CopyTo(put[i].AsSpan((Corners[i].Row * scale + line) * row + Corners[i].Column * scale * 3));
        return put;
    }

    private static (int First, int Length) Bounds(Func<int, bool> isIn)
    {
        var within = Enumerable.Range(0, CellMask.Side).Where(isIn).ToArray();
        return within.Length == 0 ? (0, 0) : (within[0], within[^1] - within[0] + 1);
    }
}
