using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>The mean losses of a step; null for a kind that no worker trained.</summary>
internal sealed record NetworkStep(double? Plain, double? Swap, double? Paint, double Labels, double GradientNorm);

/// <summary>
/// Trains U-Net and text encoders together. Workers compute gradients in parallel, and their mean updates the weights. The result is a
/// running average of the weights.
/// </summary>
internal sealed class NetworkTraining : IDisposable
{
    private const int MemoryPurpose = 5, EarlySteps = 50;
    private readonly MiniTrainingOptions _options;
    private readonly NetworkWorker[] _workers;
    private readonly SiteMemory[] _memories;
    private readonly AdamW _adam;
    private readonly Muon _muon;
    private readonly Tensor _average;
    private readonly long _others;
    private readonly LatentCode _code;
    private (int Step, Task<StepDraw[]> Draws)? _ahead;

    /// <param name="folder">The model folder, with configurations and tokenizers.</param>
    /// <param name="start">The trained model to start from, whose features are then also painted; null for random weights.</param>
    public NetworkTraining(MiniTrainingOptions options, string folder, LatentCode code, MiniFolder? start, Device device)
    {
        (_options, _code) = (options, code);
        Tokenizer = ClipTokenizer.Load(Path.Combine(folder, "tokenizer"));
        Tokenizer2 = ClipTokenizer.Load(Path.Combine(folder, "tokenizer_2"));
        _workers = [.. Enumerable.Range(0, options.Network.Workers).Select(_ =>
            new NetworkWorker(new MiniNetwork(folder, options.Seed, device), options, Tokenizer, Tokenizer2))];
        if (start is null)
            NetworkStart.Apply(Network);
        else
            NetworkStart.Read(Network, start);
        Averaged = new MiniNetwork(folder, options.Seed, device);
        Averaged.CopyFrom(Network);
        Share();
        var features = start is null ? null : FeatureDirections.Of(start, options, device);
        _memories = [.. MiniSites.All.Index().Select(site =>
        {
            var channels = Network.UNet.ShapeOf(site.Item).Channels;
            return new SiteMemory(site.Item.Code, channels, features?[site.Index] ?? FeatureDirections.None(channels), device);
        })];
        _average = Row.Of(Network.Leaves.Select(leaf => leaf.Value)).DetachFromDisposeScope();
        var others = Network.Leaves.SkipLast(Network.Matrices.Count).ToArray();
        _others = others.Sum(leaf => leaf.Value.numel());
        _adam = new AdamW(others, 0);
        _muon = new Muon(Network.Matrices, options.Network.WeightDecay, options.Network.Workers);
    }

    public ClipTokenizer Tokenizer { get; }

    public ClipTokenizer Tokenizer2 { get; }

    /// <summary>The network with the current weights.</summary>
    public MiniNetwork Network => _workers[0].Network;

    /// <summary>The network with the averaged weights, as of the last <see cref="RefreshAveraged"/>.</summary>
    public MiniNetwork Averaged { get; }

    public IReadOnlyList<SiteMemory> Memories => _memories;

    /// <summary>All tensors of a checkpoint.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State =>
    [
        .. Network.Leaves.Select(leaf => KeyValuePair.Create("weights." + leaf.Key, leaf.Value)),
        .. Row.Parts(_average, Network.Leaves, "averaged."), .. _adam.State, .. _muon.State,
            .. _memories.SelectMany(memory => memory.State),
    ];

    public NetworkStep Step(int step)
    {
        using var scope = NewDisposeScope();
        var options = _options.Network;
        var results = new WorkerStep[_workers.Length];
        var draws = Draws(step);
        Parallel.For(0, _workers.Length, i => results[i] = _workers[i].Step(draws[i], _memories));
        var gradients = Average(results);
        var norm = Gradients.Clip(gradients, options.ClipNorm);
        // Skips a step that overflows, so that it does not spoil the weights.
        if (double.IsFinite(norm))
        {
            Move(step, gradients);
            Remember(step, results);
        }
        foreach (var result in results)
            result.Dispose();
        return new(Mean(StepKind.Plain), Mean(StepKind.Swap), Mean(StepKind.Paint), results.Average(result => result.LabelLoss), norm);

        double? Mean(StepKind kind) =>
            results.Where(result => result.Plan.Kind == kind).Select(result => (double?)result.SquareError).Average();
    }

    /// <summary>Copies the weights to all workers, after a step or after a checkpoint was restored.</summary>
    public void Share()
    {
        foreach (var worker in _workers.Skip(1))
            worker.Network.CopyFrom(Network);
    }

    /// <summary>Copies the running average to <see cref="Averaged"/>.</summary>
    public void RefreshAveraged()
    {
        using var noGrad = no_grad();
        Row.CopyTo(_average, Averaged.Leaves);
    }

    public void Dispose()
    {
        foreach (var part in (IEnumerable<IDisposable>)[_adam, _muon, _average, Averaged, .. _memories,
            .. _workers.Select(worker => worker.Network)])
            part.Dispose();
    }

    // Draws the pictures of the next step while this one is computed.
    private StepDraw[] Draws(int step)
    {
        var draws = (_ahead is { } ahead && ahead.Step == step ? ahead.Draws : Draw(step)).GetAwaiter().GetResult();
        _ahead = step + 1 < _options.Network.Steps ? (step + 1, Draw(step + 1)) : null;
        return draws;

        Task<StepDraw[]> Draw(int number) => Task.Run<StepDraw[]>(() =>
            [.. Enumerable.Range(0, _workers.Length).Select(worker => StepDraw.Of(number, worker, _options, _code))]);
    }

    private void Move(int step, Tensor gradients)
    {
        var rate = LearningRate.At(step, _options.Network.Steps, _options.Network.WarmUp, _options.Network.LearningRate);
        _adam.Step(step, rate / 2, gradients.narrow(0, 0, _others));
        _muon.Step(rate, gradients.narrow(0, _others, gradients.numel() - _others));
        Share();
        UpdateAverage(step);
    }

    private static Tensor Average(WorkerStep[] results)
    {
        using var noGrad = no_grad();
        var sum = results[0].Gradients;
        foreach (var other in results.Skip(1))
            sum.Accumulate(other.Gradients);
        return sum.DivideInPlace(results.Length);
    }

    private void UpdateAverage(int step)
    {
        using var noGrad = no_grad();
        // The average of the first steps covers all weights so far.
        var kept = Math.Min(_options.Network.Averaging, (step + 1.0) / (step + 10));
        _average.MultiplyInPlace(kept).Accumulate(Row.Of(Network.Leaves.Select(leaf => leaf.Value)), 1 - kept);
    }

    private void Remember(int step, WorkerStep[] results)
    {
        foreach (var (number, result) in results.Index())
            for (var site = 0; site < result.Deltas.Count; site++)
            {
                var random = RandomAt.Place(_options.Seed, MemoryPurpose, step, number, site);
                _memories[site].Learn(random, result.Deltas[site], result.Examples, step < EarlySteps);
            }
    }
}

/// <summary>The result of a worker's step.</summary>
/// <param name="Gradients">The gradients of all leaves, as one <see cref="Row"/>.</param>
/// <param name="Deltas">The deltas of the sites that are not affected by an edit.</param>
/// <param name="Examples">For each picture, see <see cref="TrainingSample"/>.</param>
internal sealed record WorkerStep(StepPlan Plan, double SquareError, double LabelLoss, Tensor Gradients, IReadOnlyList<Tensor> Deltas,
    IReadOnlyList<int[]> Examples) : IDisposable
{
    public void Dispose()
    {
        Gradients.Dispose();
        foreach (var delta in Deltas)
            delta.Dispose();
    }
}

/// <summary>Computes losses and gradients of a batch, on the calling thread.</summary>
internal sealed class NetworkWorker(MiniNetwork network, MiniTrainingOptions options, ClipTokenizer tokenizer, ClipTokenizer tokenizer2)
{
    public MiniNetwork Network => network;

    /// <param name="memories">The memories of all sites. They are only read.</param>
    public WorkerStep Step(StepDraw draw, IReadOnlyList<SiteMemory> memories)
    {
        // The setting is per thread. With one thread, sums have a fixed order, and a resumed run continues bit for bit.
        Threads.Use(1);
        using var scope = NewDisposeScope();
        var (plan, random) = (draw.Plan, draw.Random);
        var batch = TrainingBatch.Of(draw.Samples, tokenizer, tokenizer2, network.Device);
        var edit = plan.Kind switch
        {
            StepKind.Swap => SwapEdit.Draw(random, batch, memories[plan.Site]),
            StepKind.Paint => PaintEdit.Draw(random, batch, draw.Edits, memories[plan.Site], network.Heads[plan.Site], options.Network),
            _ => null,
        };
        foreach (var (_, leaf) in network.Leaves)
            leaf.requires_grad_();
        var (predicted, deltas) = Forward(batch, plan, edit);
        var error = predicted - (edit?.Target ?? batch.Latents);
        var square = error.Square();
        var pictureLoss = square.Plus(error.abs().Times(options.Network.AbsoluteWeight));
        if (edit is not null)
            pictureLoss = pictureLoss * edit.Weight;
        // Swap steps have no labels of the correct result.
        if ((edit is null ? batch.Labels : edit.Labels) is { } shown)
        {
            var things = Regions.Enlarge(Regions.OfThings(shown), batch.Latents.shape[2] / CellMask.Side);
            pictureLoss = pictureLoss * things.Times(options.Network.ThingWeight - 1).Plus(1);
        }
        var labelLoss = LabelLoss(batch, plan, edit, deltas);
        pictureLoss.mean().Plus(labelLoss.Times(options.Network.LabelWeight)).backward();
        var gradients = Gradients.Take(network.Leaves.Select(leaf => leaf.Value));
        foreach (var (_, leaf) in network.Leaves)
            leaf.requires_grad_(false);
        return new(plan, square.mean().item<float>(), labelLoss.item<float>(), gradients.DetachFromDisposeScope(),
            [.. deltas.Take(plan.Site + 1).Select(delta => delta.detach().DetachFromDisposeScope())],
                [.. draw.Samples.Select(sample => sample.Examples)]);
    }

    private (Tensor Predicted, IReadOnlyList<Tensor> Deltas) Forward(TrainingBatch batch, StepPlan plan, SiteEdit? edit)
    {
        var deltas = new Tensor[MiniSites.All.Count];
        var hooks = MiniSites.All.Index().Select(site => network.UNet.Hook(site.Item, (input, output) =>
        {
            // The scope of the forward pass ends before the loss is computed, so the delta must leave it.
            deltas[site.Index] = (output - input).to_type(ScalarType.Float32).DetachFromDisposeScope();
            return edit is not null && site.Index == plan.Site ? input.Plus(edit.Change(deltas[site.Index])).to_type(output.dtype) : output;
        })).ToArray();
        try
        {
            using var mixed = new MixedPrecision();
            var (hidden, pooled) = network.Encode(batch.Ids, batch.Ids2);
            var predicted = network.Predict(batch.Noise, hidden, plan.PooledIsSilent ? pooled.Times(0) : pooled, plan.CutFrom);
            foreach (var delta in deltas)
                delta.MoveToOtherDisposeScope(predicted);
            return (predicted, deltas);
        }
        finally
        {
            foreach (var hook in hooks)
                hook.Dispose();
        }
    }

    // Up to the edited site, deltas show the scene; after it the correct result, if its labels are known.
    private Tensor LabelLoss(TrainingBatch batch, StepPlan plan, SiteEdit? edit, IReadOnlyList<Tensor> deltas)
    {
        var losses = new List<Tensor>();
        for (var site = 0; site < deltas.Count; site++)
            if ((site <= plan.Site ? batch.Labels : edit?.Labels) is { } labels)
                losses.Add(network.Heads[site].Loss(deltas[site], labels));
        return stack(losses).mean();
    }
}
