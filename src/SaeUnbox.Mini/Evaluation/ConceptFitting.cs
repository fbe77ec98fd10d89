using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>
/// Learns how strongly the features of a site must act together to put an element into scenes: gradient descent through the rest of the
/// U-Net and the decoder, on scenes without the element.
/// </summary>
internal sealed class ConceptFitting : IDisposable
{
    private const int Purpose = 44, Batch = 10, WarmUp = 3;

    // Features that are kept after the first steps.
    private const int Kept = 8;

    private const double Rate = .5, Start = .1, Least = .05;

    // Squared distances between drawings in the cells, of pixels from -1 to 1, are some hundredths.
    private const double Temperature = .004;

    // Weights of the loss's terms, and the cap on the loss of one scene: some places cannot show the element at all.
    private const double DistanceWeight = 20, OutsideWeight = 20, MostOfAScene = 8;

    private readonly MiniModel _model;
    private readonly IFeatureDictionary _dictionary;
    private readonly Site _site;
    private readonly bool _isAdding;
    private readonly SceneBatch[] _batches;

    private ConceptFitting(MiniModel model, Site site, IFeatureDictionary dictionary, bool isAdding, IEnumerable<SceneBatch> batches) =>
        (_model, _site, _dictionary, _isAdding, _batches) = (model, site, dictionary, isAdding, [.. batches]);

    /// <summary>
    /// Chooses and weights features: a third of the steps with all, the rest with the few that then change the block most.
    /// </summary>
    /// <param name="model">In fp32.</param>
    /// <param name="known">Gives the site, and the features to choose from.</param>
    /// <param name="isAdding">Whether weights stay positive, so that features are only added.</param>
    /// <returns>The effect, not yet measured; null if no feature helps.</returns>
    public static ConceptEffect? Fit(MiniModel model, SaeSet saes, SteeringElement element, ConceptDirection known, bool isAdding,
        MiniEvaluationOptions options, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var batches = Enumerable.Range(0, Math.Min(options.FittingScenes, options.FittingSteps * Batch))
            .Select(i => SteeringScene.Unrelated(RandomAt.Place(options.Seed, Purpose, element.Label, i), element))
            .Chunk(Batch).Select(scenes => new SceneBatch(model, known.Site, element, scenes));
        using var fitting = new ConceptFitting(model, known.Site, saes[known.Site], isAdding, batches);
        return fitting.Fit(known.Candidates, options.FittingSteps, cancellation);
    }

    private ConceptEffect? Fit(IReadOnlyList<int> features, int steps, CancellationToken cancellation)
    {
        var all = Descend([.. features.Select(feature => new WeightedFeature(feature, Start))], steps / 3, cancellation);
        var largest = all.OrderByDescending(one => Math.Abs(one.Weight) * Part(one.Feature).norm().item<float>()).Take(Kept).ToArray();
        var fitted = Descend(largest, steps - steps / 3, cancellation)
            .OrderByDescending(one => Math.Abs(one.Weight)).TakeWhile(one => Math.Abs(one.Weight) > Least).ToArray();
        if (fitted.Length == 0)
            return null;
        var strength = Math.Min(Math.Round(Math.Abs(fitted[0].Weight), 1), RecipeLimits.MaxStrength);
        return new(EditMode.Add, strength, fitted.Length, 0)
        {
            Weighted = [.. fitted.Select(one => one with { Weight = Math.Round(one.Weight / Math.Abs(fitted[0].Weight), 2) })],
        };
    }

    public void Dispose()
    {
        foreach (var batch in _batches)
            batch.Dispose();
    }

    // What a feature adds at strength 1, [d].
    private Tensor Part(int feature) => _dictionary.Direction(feature).Times(_dictionary.MeanOf(feature));

    private WeightedFeature[] Descend(WeightedFeature[] from, int steps, CancellationToken cancellation)
    {
        if (from.Length == 0)
            return [];
        using var grad = enable_grad();
        using var whole = NewDisposeScope();
        var parts = stack(from.Select(one => Part(one.Feature)));
        var weights = tensor(Array.ConvertAll(from, one => (float)one.Weight), device: parts.device).requires_grad_(true);
        using var optimiser = new AdamW([new("weights", weights)], weightDecay: 0);
        for (var step = 0; step < steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var batch = _batches[step % _batches.Length];
            Loss(batch, weights.unsqueeze(0).mm(parts).reshape(1, -1, 1, 1)).backward();
            optimiser.Step(step, LearningRate.At(step, steps, WarmUp, Rate), Gradients.Take([weights]));
            using var noGrad = no_grad();
            if (_isAdding)
                weights.copy_(weights.AtLeast(0));
        }
        return [.. from.Zip(weights.cpu().data<float>().ToArray(), (one, weight) => one with { Weight = weight })];
    }

    private Tensor Loss(SceneBatch batch, Tensor direction)
    {
        using var hook = _model.Pipeline.Hook(_site, (_, output) => output.Plus(batch.Cells.mul(direction)));
        var latents = batch.Latents(_model.Pipeline.Resume(batch.State));
        var outside = ((latents - batch.Before).Square() * batch.Inside.SubtractedFrom(1)).mean();
        var squares = _model.Pipeline.Autoencoder.Decode(batch.Near.Cut(latents));
        long factor = squares.shape[2] / (batch.Near.Side * SceneBatch.PixelsPerCell);
        var pictures = nn.functional.avg_pool2d(squares, [factor, factor], stride: [factor, factor]);
        var scenes = stack(batch.Places.Select((place, i) => place.Loss(pictures[i], Temperature, DistanceWeight, MostOfAScene)));
        return scenes.mean().Plus(outside.Times(OutsideWeight));
    }
}

/// <summary>
/// Scenes that ran without edits, and what they should show. Its tensors belong to the dispose scope that is open when it is made.
/// </summary>
internal sealed class SceneBatch : IDisposable
{
    public const int PixelsPerCell = SceneProbe.Size / CellMask.Side;

    private readonly DenoisingRun _run;
    private readonly UNetRun _plain;
    private readonly Tensor _start;
    private readonly Site _site;

    public SceneBatch(MiniModel model, Site site, SteeringElement element, IReadOnlyList<SteeringScene> scenes)
    {
        using var noGrad = no_grad();
        _site = site;
        _run = model.Pipeline.Begin(model.RequestOf([.. scenes.Select(scene => scene.Captioned)]));
        _start = _run.StartLatents();
        _plain = model.Pipeline.Run(_run.InputOf(0, _start), [site]);
        Before = Latents(_plain.Output!);
        CellMask[] masks = [.. scenes.Select(scene => scene.Cells)];
        Cells = TrainingBatch.Masks(masks, model.Device);
        Inside = Regions.Enlarge(Cells, Before.shape[2] / CellMask.Side);
        Near = NearCells.Of(masks);
        Places = [.. scenes.Select((scene, i) => new WantedPlace(scene, element, Near.Corners[i], model.Device))];
    }

    /// <summary>The state at the site.</summary>
    public UNetState State => _plain.States[_site];

    /// <summary>Clean latents without edits, [B, 4, 64, 64].</summary>
    public Tensor Before { get; }

    /// <summary>1 in the cells to paint, [B, 1, 16, 16].</summary>
    public Tensor Cells { get; }

    /// <summary><see cref="Cells"/> for each latent, [B, 1, 64, 64].</summary>
    public Tensor Inside { get; }

    public NearCells Near { get; }

    public IReadOnlyList<WantedPlace> Places { get; }

    /// <summary>Clean latents of a prediction of the U-Net.</summary>
    public Tensor Latents(Tensor output) => _run.Scheduler.Step(output, 0, _start, zeros_like(_start));

    public void Dispose()
    {
        _plain.Dispose();
        _run.Dispose();
    }
}

/// <summary>What the cells of a scene may show, drawn.</summary>
internal sealed class WantedPlace
{
    private readonly int _top, _left, _side;
    private readonly Tensor _wanted, _others; // [drawings, 3, side, side], -1 to 1

    /// <param name="corner">Of the square around the cells, in cells.</param>
    public WantedPlace(SteeringScene scene, SteeringElement element, (int Row, int Column) corner, Device device)
    {
        var (top, left, side) = SquareOf(scene.Cells);
        (_top, _left, _side) = (top - corner.Row * SceneBatch.PixelsPerCell, left - corner.Column * SceneBatch.PixelsPerCell, side);
        (_wanted, _others) = (Draw(isWanted: true), Draw(isWanted: false));

        Tensor Draw(bool isWanted)
        {
            var drawings = scene.Answers.Where(answer => answer.Name == element.Name == isWanted)
                .Select(answer => SceneRenderer.Render(answer.Scene, SceneProbe.Size));
            return PictureBytes.ToTensor([.. drawings], device).narrow(2, top, side).narrow(3, left, side).clone();
        }
    }

    /// <summary>
    /// Minus the logarithm of the share of the wanted drawings, where each has the weight exp(-distance / temperature), and the distance
    /// to the nearest of them.
    /// </summary>
    /// <param name="picture">The square around the cells, [3, h, w].</param>
    public Tensor Loss(Tensor picture, double temperature, double distanceWeight, double most)
    {
        var part = picture.narrow(1, _top, _side).narrow(2, _left, _side).unsqueeze(0);
        var wanted = Distances(_wanted);
        var unclear = Log(cat([wanted, Distances(_others)])) - Log(wanted);
        return unclear.Between(0, most).Plus(wanted.min().Times(distanceWeight));

        Tensor Distances(Tensor drawings) => (part - drawings).Square().mean([1L, 2, 3]);

        Tensor Log(Tensor distances) => logsumexp(distances.Times(-1 / temperature), 0L);
    }

    // In pixels; the cells are a square.
    private static (int Top, int Left, int Side) SquareOf(CellMask cells)
    {
        var first = cells.Cells.IndexOf(true);
        var side = (int)Math.Sqrt(cells.Cells.Count(true));
        return (first / CellMask.Side * SceneBatch.PixelsPerCell, first % CellMask.Side * SceneBatch.PixelsPerCell,
            side * SceneBatch.PixelsPerCell);
    }
}
