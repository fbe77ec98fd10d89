using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// RIEBench, image editing by features (Surkov et al., arXiv 2410.22366, github.com/wendlerc/RIEBench): what the edited prompt's picture
/// has in a mask is transported into the picture of the original prompt, and what the original has in its mask is taken away.
/// </summary>
/// <remarks>
/// Features of all sites are ranked together by their share of all activation in the edited prompt's mask less that in the original's, both
/// means over cells of the first step. With F the best and G the worst of them, a site's output gets at each step of the original prompt
/// strength * (sum over F of z_f d_f of the edited run, in its mask, - sum over G of z_g d_g of the original run, in its mask).
/// Neurons are the inputs of the second linear layer of each feed-forward of the sites' transformers. They are ranked likewise, each
/// divided by its norm over the mask's cells, and get strength * (their values in the edited run - those in the original) themselves.
/// </remarks>
public sealed class RieProtocol(LoadedModel model, RieSettings settings, ClipModel? clip = null)
{
    /// <summary>Transports features.</summary>
    public const string Features = "features";

    /// <summary>A baseline: transports neurons.</summary>
    public const string Neurons = "neurons";

    /// <summary>A baseline: transports the sites' whole vectors.</summary>
    public const string Difference = "difference";

    private readonly Site[] _sites = settings.Sites.Count > 0 ? [.. settings.Sites] : [.. model.Saes.Keys];

    private delegate Tensor SiteChange(Site site, int step, Tensor input, Tensor output);

    private delegate Tensor NeuronChange(Site site, int block, int step, Tensor neurons);

    /// <summary>Measures one pair with every number of features and neurons, and every strength.</summary>
    public IReadOnlyList<RieRow> Measure(RiePair pair, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        model.UseThreads();
        var (original, edited) = (Read(pair.Original, cancellation), Read(pair.Edited, cancellation));
        var ranked = Rank(pair, original, edited);
        var neurons = settings.Neurons.Count > 0 ? RankNeurons(pair, original, edited) : [];
        var rows = new List<RieRow>();
        foreach (var strength in settings.Strengths)
        {
            foreach (var count in settings.Counts)
                rows.Add(Row(Features, count, strength, Sites(strength, Part(edited, ranked.Take(count)),
                    Part(original, ranked.TakeLast(count)))));
            foreach (var count in settings.Neurons)
                rows.Add(Row(Neurons, count, strength, neurons: Transport(pair, original, edited, neurons, count, strength)));
            rows.Add(Row(Difference, null, strength, Sites(strength, (site, step) => edited.Vectors[(site, step)],
                (site, step) => original.Vectors[(site, step)])));
        }
        return rows;

        SiteChange Sites(double strength, Func<Site, int, Tensor> added, Func<Site, int, Tensor> removed) => (site, step, _, output) =>
        {
            var sum = (added(site, step) * Mask(pair.EditedMask, site)) - (removed(site, step) * Mask(pair.OriginalMask, site));
            return output.Plus(sum.Times(strength).permute(2, 0, 1).unsqueeze(0).to(output.device).to(output.dtype));
        };

        RieRow Row(string method, int? count, double strength, SiteChange? sites = null, NeuronChange? neurons = null)
        {
            using var inner = NewDisposeScope();
            var picture = Run(pair.Original, sites, neurons, cancellation);
            var (inside, outside) = PictureChange.Between(original.Picture, picture).Split(pair.OriginalMask ?? Everywhere);
            return new(method, count, strength, inside, outside, Similarity(picture, pair.Edited));
        }
    }

    /// <summary>The features in the order of their scores, the best for the edited prompt first.</summary>
    public IReadOnlyList<RieFeature> Rank(RiePair pair, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        model.UseThreads();
        return Rank(pair, Read(pair.Original, cancellation), Read(pair.Edited, cancellation));
    }

    private static BrushMask Everywhere { get; } = BrushMask.FromCells(1, 1, [1]);

    private RieFeature[] Rank(RiePair pair, Reading original, Reading edited) =>
    [
        .. Order(site => Means(edited, pair.EditedMask, site), site => Means(original, pair.OriginalMask, site), _sites)
            .Select(one => new RieFeature(one.Group, one.Index, one.Score)),
    ];

    private ((Site Site, int Block) Group, int Index, double Score)[] RankNeurons(RiePair pair, Reading original, Reading edited)
    {
        return Order(group => Means(edited, pair.EditedMask, group), group => Means(original, pair.OriginalMask, group),
            original.Neurons.Keys.Where(key => key.Step == 0).Select(key => (key.Site, key.Block)).ToArray());

        double[] Means(Reading reading, BrushMask? mask, (Site Site, int Block) group)
        {
            using var scope = NewDisposeScope();
            var values = reading.Neurons[(group.Site, group.Block, 0)] * Mask(mask, group.Site).view(-1, 1);
            return MeansOf(values / values.Square().sum([0]).sqrt().AtLeast(1e-30), mask, group.Site);
        }
    }

    // All units of all groups by their share of the sum in one picture less their share in the other, the largest difference first.
    private static (T Group, int Index, double Score)[] Order<T>(Func<T, double[]> with, Func<T, double[]> without, T[] groups)
    {
        var (first, second) = (Array.ConvertAll(groups, group => with(group)), Array.ConvertAll(groups, group => without(group)));
        var (allFirst, allSecond) = (first.Sum(means => means.Sum()), second.Sum(means => means.Sum()));
        return
        [
            .. groups.Index().SelectMany(group => first[group.Index].Zip(second[group.Index]).Select((mean, index) =>
                    (group.Item, index, Score: Share(mean.First, allFirst) - Share(mean.Second, allSecond))))
                .OrderByDescending(one => one.Score),
        ];

        static double Share(double mean, double all) => all == 0 ? 0 : mean / all;
    }

    // The mean of each feature over the mask's cells, in the first step.
    private double[] Means(Reading reading, BrushMask? mask, Site site)
    {
        using var scope = NewDisposeScope();
        using var codes = model.Saes[site].Encode(reading.Vectors[(site, 0)]);
        var dense = codes.ToDense().cpu().flatten(0, 1);
        return MeansOf(dense * Mask(mask, site).view(-1, 1), mask, site);
    }

    // The means over the mask's cells of values [cells, n] that are 0 elsewhere.
    private double[] MeansOf(Tensor values, BrushMask? mask, Site site)
    {
        var count = Cells(mask, site).Sum();
        return count > 0
            ? Array.ConvertAll(values.to(ScalarType.Float64).sum([0]).data<double>().ToArray(), sum => sum / count)
            : throw new SaeException($"A mask holds no cell of {site}.");
    }

    // What some features add to a site in a step: [h, w, d].
    private Func<Site, int, Tensor> Part(Reading reading, IEnumerable<RieFeature> features)
    {
        var chosen = features.ToLookup(feature => feature.Site, feature => feature.Feature);
        return (site, step) =>
        {
            using var scope = NewDisposeScope();
            var dictionary = model.Saes[site];
            using var codes = dictionary.Encode(reading.Vectors[(site, step)]);
            var kept = Flags(dictionary.Features, chosen[site]).to(codes.Indices.device);
            var values = codes.Values * kept.index_select(0, codes.Indices.reshape(-1).to(ScalarType.Int64)).view(codes.Values.shape);
            var part = dictionary.Decode(codes with { Values = values });
            var bias = dictionary.Decode(codes with { Values = zeros_like(codes.Values) });
            return (part - bias).cpu().MoveToOuterDisposeScope();
        };
    }

    private NeuronChange Transport(RiePair pair, Reading original, Reading edited,
        ((Site Site, int Block) Group, int Index, double Score)[] ranked, int count, double strength)
    {
        var best = ranked.Take(count).ToLookup(one => one.Group, one => one.Index);
        var worst = ranked.TakeLast(count).ToLookup(one => one.Group, one => one.Index);
        return (site, block, step, neurons) =>
        {
            var sum = Part(edited, best, pair.EditedMask) - Part(original, worst, pair.OriginalMask);
            return neurons.Plus(sum.Times(strength).unsqueeze(0).to(neurons.device).to(neurons.dtype));

            Tensor Part(Reading reading, ILookup<(Site, int), int> chosen, BrushMask? mask) => reading.Neurons[(site, block, step)]
                * Flags((int)neurons.shape[2], chosen[(site, block)]) * Mask(mask, site).view(-1, 1);
        };
    }

    // [n]: 1 at the chosen numbers.
    private static Tensor Flags(int count, IEnumerable<int> chosen)
    {
        var flags = new float[count];
        foreach (var index in chosen)
            flags[index] = 1;
        return tensor(flags);
    }

    // [h, w, 1]: 1 in the cells that the mask covers at least half.
    private Tensor Mask(BrushMask? mask, Site site)
    {
        var (rows, columns) = model.Info.Find(site)!.Grid(model.Info.Width, model.Info.Height);
        return tensor(Cells(mask, site), [rows, columns, 1]);
    }

    private float[] Cells(BrushMask? mask, Site site)
    {
        var (rows, columns) = model.Info.Find(site)!.Grid(model.Info.Width, model.Info.Height);
        return Array.ConvertAll((mask ?? Everywhere).Scaled(rows, columns).Cells.ToArray(), cell => cell >= .5f ? 1f : 0f);
    }

    // Its tensors belong to the current scope. Of a step that predicts twice, the first pass is kept.
    private Reading Read(string prompt, CancellationToken cancellation)
    {
        var reading = new Reading();
        using var scope = NewDisposeScope();
        reading.Picture = Run(prompt, KeepSite, settings.Neurons.Count > 0 ? KeepNeurons : null, cancellation);
        foreach (var tensor in reading.Vectors.Values.Concat(reading.Neurons.Values))
            tensor.MoveToOuterDisposeScope();
        return reading;

        Tensor KeepSite(Site site, int step, Tensor input, Tensor output)
        {
            if (!reading.Vectors.ContainsKey((site, step)))
                reading.Vectors[(site, step)] = Keep(model.Saes[site].VectorsOf(input, output)[0]);
            return output;
        }

        Tensor KeepNeurons(Site site, int block, int step, Tensor neurons)
        {
            if (!reading.Neurons.ContainsKey((site, block, step)))
                reading.Neurons[(site, block, step)] = Keep(neurons[0]);
            return neurons;
        }

        Tensor Keep(Tensor values) => values.to(ScalarType.Float32).cpu().clone().MoveToOtherDisposeScope(scope);
    }

    private Picture Run(string prompt, SiteChange? sites, NeuronChange? neurons, CancellationToken cancellation)
    {
        using var run = model.Model.Begin(new ImageRequest
        {
            Prompts = [prompt],
            Seeds = [settings.Seed],
            Steps = settings.Steps,
            Guidance = 0,
            Width = model.Info.Width,
            Height = model.Info.Height,
        });
        var step = 0;
        IDisposable[] hooks =
        [
            .. sites is null ? [] : _sites.Select(site => model.Model.Hook(site, (input, output) => sites(site, step, input, output))),
            .. neurons is null ? [] : _sites.Select(site =>
                model.Model.HookNeurons(site, (block, values) => neurons(site, block, step, values))),
        ];
        try
        {
            var latents = run.Denoise(predict: Predict, cancellation: cancellation).Last().After;
            var pixels = Pixels.ToBytes(model.Model.Decode(Scheduler.LatentsOf(latents), cancellation));
            return new Picture((int)pixels.shape[2], (int)pixels.shape[1], 3, pixels.bytes.ToArray());
        }
        finally
        {
            foreach (var hook in hooks)
                hook.Dispose();
        }

        Tensor Predict(DenoisingInput given, CancellationToken token)
        {
            step = given.Step;
            return model.Model.Run(given, [], cancellation: token).Output!;
        }
    }

    // The cosine of the picture's and the prompt's embeddings.
    private double? Similarity(Picture picture, string prompt)
    {
        if (clip is null)
            return null;
        using var scope = NewDisposeScope();
        var seen = clip.EmbedPicture(picture.Pixels, picture.Width, picture.Height).view(-1);
        var said = clip.EmbedTexts(prompt).view(-1);
        return (seen * said).sum().item<float>() / ((seen * seen).sum().sqrt().item<float>() * (said * said).sum().sqrt().item<float>());
    }

    // What one run had at its sites: vectors [h, w, d], and neurons [h w, n] if they are wanted.
    private sealed class Reading
    {
        public Dictionary<(Site Site, int Step), Tensor> Vectors { get; } = [];

        public Dictionary<(Site Site, int Block, int Step), Tensor> Neurons { get; } = [];

        public Picture Picture { get; set; } = null!;
    }
}

/// <summary>A pair of prompts that differ in what is edited.</summary>
/// <param name="Original">Its picture is changed.</param>
/// <param name="Edited">Shows what is wanted.</param>
/// <param name="OriginalMask">Where the original picture has what is replaced; null for everywhere.</param>
/// <param name="EditedMask">Where the edited prompt's picture has what replaces it; null for everywhere.</param>
public sealed record RiePair(string Original, string Edited, BrushMask? OriginalMask = null, BrushMask? EditedMask = null);

/// <summary>What is tried. The defaults are those of the paper.</summary>
public sealed record RieSettings
{
    /// <summary>Sites with an autoencoder; none for all of them.</summary>
    public IReadOnlyList<Site> Sites { get; init; } = [];

    /// <summary>Numbers of features, over all sites together, to put in and to take away.</summary>
    public IReadOnlyList<int> Counts { get; init; } = [80, 160, 320, 640];

    /// <summary>
    /// Numbers of neurons, over all sites together, to put in and to take away; the paper has 5,000 to 80,000 of 204,800. None by default:
    /// all neurons of two runs are kept in memory, 1.7 GB for SDXL at 512 x 512 pixels and 4 steps.
    /// </summary>
    public IReadOnlyList<int> Neurons { get; init; } = [];

    public IReadOnlyList<double> Strengths { get; init; } = [1, 2];

    public int Steps { get; init; } = 4;

    public long Seed { get; init; } = 42;
}

/// <summary>A feature and how much more it belongs to the edited prompt.</summary>
/// <param name="Score">Share of all activation in the edited prompt's mask, less that in the original's.</param>
public sealed record RieFeature(Site Site, int Feature, double Score);

/// <summary>One edited picture.</summary>
/// <param name="Method">
/// <see cref="RieProtocol.Features"/>, <see cref="RieProtocol.Neurons"/> or <see cref="RieProtocol.Difference"/>.
/// </param>
/// <param name="Count">Number of features or neurons; null for the difference.</param>
/// <param name="Inside">Mean change of the picture inside the original's mask, 0 to 1.</param>
/// <param name="Outside">Mean change outside.</param>
/// <param name="Clip">Cosine of the embeddings of the picture and of the edited prompt; null without CLIP.</param>
public sealed record RieRow(string Method, int? Count, double Strength, double Inside, double Outside, double? Clip);
