using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>What a worker's step gave. The tensors are owned.</summary>
/// <param name="Gradients">Of all leaves of the network, as one <see cref="Row"/>.</param>
/// <param name="Deltas">Of the sites whose deltas are those of unedited pictures, in order.</param>
/// <param name="Examples">Of each picture (see <see cref="TrainingSample"/>).</param>
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

/// <summary>Computes losses and gradients of one batch at a time, on the thread that calls it.</summary>
internal sealed class NetworkWorker(MiniNetwork network, MiniTrainingOptions options, ClipTokenizer tokenizer, ClipTokenizer tokenizer2)
{
    public MiniNetwork Network => network;

    /// <param name="memories">Of every site; read, not written.</param>
    public WorkerStep Step(StepDraw draw, IReadOnlyList<SiteMemory> memories)
    {
        // Each thread has a count of its own; with one, sums have one order and a resumed run goes on bit for bit.
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
        // Of painted steps what is right, of swapped ones nothing is known cell by cell.
        if ((edit is null ? batch.Labels : edit.Labels) is { } shown)
            pictureLoss = pictureLoss * Regions.Enlarge(Regions.OfThings(shown), batch.Latents.shape[2] / CellMask.Side).Times(options.Network.ThingWeight - 1).Plus(1);
        var labelLoss = LabelLoss(batch, plan, edit, deltas);
        pictureLoss.mean().Plus(labelLoss.Times(options.Network.LabelWeight)).backward();
        var gradients = Gradients.Take(network.Leaves.Select(leaf => leaf.Value));
        foreach (var (_, leaf) in network.Leaves)
            leaf.requires_grad_(false);
        return new(plan, square.mean().item<float>(), labelLoss.item<float>(), gradients.DetachFromDisposeScope(),
            [.. deltas.Take(plan.Site + 1).Select(delta => delta.detach().DetachFromDisposeScope())], [.. draw.Samples.Select(sample => sample.Examples)]);
    }

    private (Tensor Predicted, IReadOnlyList<Tensor> Deltas) Forward(TrainingBatch batch, StepPlan plan, SiteEdit? edit)
    {
        var deltas = new Tensor[MiniSites.All.Count];
        var hooks = MiniSites.All.Index().Select(site => network.UNet.Hook(site.Item, (input, output) =>
        {
            // The walk's own scope ends before the loss is made: the delta outlives it.
            deltas[site.Index] = (output - input).to_type(ScalarType.Float32).DetachFromDisposeScope();
            return edit is not null && site.Index == plan.Site ? input.Plus(edit.Change(deltas[site.Index])).to_type(output.dtype) : output;
        })).ToArray();
        try
        {
            using var mixed = new MixedPrecision(ScalarType.BFloat16);
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

    // Up to the edited site deltas are those of the scene, behind it those of the right result, where its labels are known.
    private Tensor LabelLoss(TrainingBatch batch, StepPlan plan, SiteEdit? edit, IReadOnlyList<Tensor> deltas)
    {
        var losses = new List<Tensor>();
        for (var site = 0; site < deltas.Count; site++)
            if ((site <= plan.Site ? batch.Labels : edit?.Labels) is { } labels)
                losses.Add(network.Heads[site].Loss(deltas[site], labels));
        return stack(losses).mean();
    }
}
