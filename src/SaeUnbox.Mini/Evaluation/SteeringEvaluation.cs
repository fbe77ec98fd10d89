using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>Paints features where their element is not, and takes them out where it is; the probe says what then is there.</summary>
internal sealed class SteeringEvaluation(MiniModel model, SaeSet saes, MiniEvaluationOptions options)
{
    private const int PaintPurpose = 24, RemovePurpose = 25, Batch = 10;
    private const double Removal = -1;

    /// <param name="features">The feature of this element at each site, where one is selective.</param>
    public IReadOnlyList<SteeringFigures> Run(SteeringElement element, IReadOnlyList<(HookSite Site, int Feature, double Correlation)> features,
        CancellationToken cancellation)
    {
        var painted = features.Select(_ => new Tally()).ToArray();
        var removed = features.Select(_ => new Tally()).ToArray();
        foreach (var numbers in Enumerable.Range(0, options.Scenes).Chunk(Batch))
        {
            cancellation.ThrowIfCancellationRequested();
            Edit([.. numbers.Select(i => SteeringScene.Unrelated(RandomAt.Place(options.Seed, PaintPurpose, element.Label, i), element))], element, features, painted,
                (sae, feature, mask) => Edits.Add(sae, feature, options.Strength, mask));
            Edit([.. numbers.Select(i => SteeringScene.With(RandomAt.Place(options.Seed, RemovePurpose, element.Label, i), element)).OfType<SteeringScene>()],
                element, features, removed, (sae, feature, mask) => Edits.Scale(sae, feature, Removal, mask));
        }
        return
        [
            .. features.Select((feature, i) => new SteeringFigures(element.Name, feature.Site.Code, feature.Feature, feature.Correlation,
                (double)painted[i].After / painted[i].Scenes, (double)painted[i].Before / painted[i].Scenes, painted[i].Outside,
                removed[i].Before, removed[i].Before == 0 ? null : (double)removed[i].Lost / removed[i].Before, removed[i].Outside)),
        ];
    }

    private void Edit(IReadOnlyList<SteeringScene> scenes, SteeringElement element, IReadOnlyList<(HookSite Site, int Feature, double Correlation)> features,
        Tally[] tallies, Func<SparseAutoencoder, int, Tensor, BlockEdit> make)
    {
        if (scenes.Count == 0)
            return;
        using var scope = NewDisposeScope();
        var probes = new SceneProbe[scenes.Count];
        Parallel.For(0, scenes.Count, i => probes[i] = new SceneProbe(scenes[i].Answers, scenes[i].Cells));
        using var run = model.Run([.. scenes.Select(scene => scene.Captioned)]);
        var before = model.Autoencoder.Decode(run.Latents);
        var was = Holds(before);
        var cells = TrainingBatch.Masks(scenes.Select(scene => scene.Cells), before.device);
        var inside = Regions.Enlarge(cells, before.shape[2] / CellMask.Side);
        foreach (var (i, (site, feature, _)) in features.Index())
        {
            using var inner = NewDisposeScope();
            using var edit = new MaskedEdit(make(saes[site], feature, ones(CellMask.Side, CellMask.Side, device: model.Device)), cells);
            var after = model.Autoencoder.Decode(run.Edited(site, edit));
            var change = (after.Between(-1, 1) - before.Between(-1, 1)).abs().mean([1L], keepdim: true);
            tallies[i].Add(was, Holds(after), (change * inside).sum().item<float>() / inside.sum().item<float>(),
                (change * inside.SubtractedFrom(1)).sum().item<float>() / inside.SubtractedFrom(1).sum().item<float>());
        }

        bool[] Holds(Tensor decoded) => [.. PictureBytes.ForProbe(decoded).Zip(probes, (picture, probe) => probe.Ask(picture) == element.Name)];
    }

    /// <summary>An edit where each picture of the batch has cells of its own, [B, 1, h, w].</summary>
    private sealed class MaskedEdit(BlockEdit edit, Tensor cells) : BlockEdit
    {
        public override Tensor Apply(Tensor input, Tensor output)
        {
            using var scope = NewDisposeScope();
            return output.Plus((edit.Apply(input, output) - output) * cells).MoveToOuterDisposeScope();
        }

        protected override void Dispose(bool disposing) => edit.Dispose();
    }

    private sealed class Tally
    {
        private double _inside, _outside;

        public int Scenes { get; private set; }

        public int Before { get; private set; }

        public int After { get; private set; }

        /// <summary>There before, and not after.</summary>
        public int Lost { get; private set; }

        /// <summary>Mean change outside the cells over that inside.</summary>
        public double Outside => _inside > 0 ? _outside / _inside : 0;

        public void Add(bool[] before, bool[] after, double inside, double outside)
        {
            Scenes += before.Length;
            Before += before.Count(held => held);
            After += after.Count(held => held);
            Lost += before.Zip(after, (was, still) => was && !still).Count(lost => lost);
            _inside += inside * before.Length;
            _outside += outside * before.Length;
        }
    }
}
