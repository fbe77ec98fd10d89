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
/// </remarks>
public sealed class RieProtocol(LoadedModel model, RieSettings settings, ClipModel? clip = null)
{
    /// <summary>Transports features.</summary>
    public const string Features = "features";

    /// <summary>The baseline: transports the sites' whole vectors.</summary>
    public const string Difference = "difference";

    private readonly Site[] _sites = settings.Sites.Count > 0 ? [.. settings.Sites] : [.. model.Saes.Keys];

    /// <summary>Measures one pair with every number of features and every strength.</summary>
    public IReadOnlyList<RieRow> Measure(RiePair pair, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        model.UseThreads();
        var (original, edited) = (Read(pair.Original, cancellation), Read(pair.Edited, cancellation));
        var ranked = Rank(pair, original, edited);
        var rows = new List<RieRow>();
        foreach (var strength in settings.Strengths)
        {
            foreach (var count in settings.Counts)
                rows.Add(Row(Features, count, strength, Part(edited, ranked.Take(count)), Part(original, ranked.TakeLast(count))));
            rows.Add(Row(Difference, null, strength, (site, step) => edited.Vectors[step][site],
                (site, step) => original.Vectors[step][site]));
        }
        return rows;

        RieRow Row(string method, int? count, double strength, Func<Site, int, Tensor> added, Func<Site, int, Tensor> removed)
        {
            using var inner = NewDisposeScope();
            var picture = Run(pair.Original, (site, step, output) =>
            {
                var sum = (added(site, step) * Mask(pair.EditedMask, site)) - (removed(site, step) * Mask(pair.OriginalMask, site));
                return output.Plus(sum.Times(strength).permute(2, 0, 1).unsqueeze(0).to(output.device).to(output.dtype));
            }, null, cancellation);
            var (inside, outside) = PictureChange.Between(original.Picture, picture).Split(pair.OriginalMask ?? Everywhere);
            return new(pair, method, count, strength, inside, outside, Similarity(picture, pair.Edited));
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

    private RieFeature[] Rank(RiePair pair, Reading original, Reading edited)
    {
        var (with, without) = (Means(edited, pair.EditedMask), Means(original, pair.OriginalMask));
        var (allWith, allWithout) = (with.Values.Sum(means => means.Sum()), without.Values.Sum(means => means.Sum()));
        return
        [
            .. _sites.SelectMany(site => with[site].Zip(without[site]).Select((mean, feature) =>
                    new RieFeature(site, feature, Share(mean.First, allWith) - Share(mean.Second, allWithout))))
                .OrderByDescending(feature => feature.Score),
        ];

        static double Share(double mean, double all) => all > 0 ? mean / all : 0;
    }

    // The mean of each feature over the mask's cells, in the first step.
    private Dictionary<Site, double[]> Means(Reading reading, BrushMask? mask) => _sites.ToDictionary(site => site, site =>
    {
        using var scope = NewDisposeScope();
        using var codes = model.Saes[site].Encode(reading.Vectors[0][site]);
        var cells = Mask(mask, site);
        var dense = codes.ToDense().cpu();
        var sums = (dense * cells).sum([0, 1]).data<float>().ToArray();
        var count = cells.sum().item<float>();
        return count > 0
            ? Array.ConvertAll(sums, sum => sum / (double)count)
            : throw new SaeException($"A mask holds no cell of {site}.");
    });

    // What some features add to a site in a step: [h, w, d].
    private Func<Site, int, Tensor> Part(Reading reading, IEnumerable<RieFeature> features)
    {
        var chosen = features.ToLookup(feature => feature.Site, feature => feature.Feature);
        return (site, step) =>
        {
            using var scope = NewDisposeScope();
            var dictionary = model.Saes[site];
            using var codes = dictionary.Encode(reading.Vectors[step][site]);
            var flags = new float[dictionary.Features];
            foreach (var feature in chosen[site])
                flags[feature] = 1;
            var kept = tensor(flags).to(codes.Indices.device);
            var values = codes.Values * kept.index_select(0, codes.Indices.reshape(-1).to(ScalarType.Int64)).view(codes.Values.shape);
            var part = dictionary.Decode(codes with { Values = values });
            var bias = dictionary.Decode(codes with { Values = zeros_like(codes.Values) });
            return (part - bias).cpu().MoveToOuterDisposeScope();
        };
    }

    // [h, w, 1]: 1 in the cells of which the mask holds at least half.
    private Tensor Mask(BrushMask? mask, Site site)
    {
        var (rows, columns) = model.Info.Find(site)!.Grid(model.Info.Width, model.Info.Height);
        var cells = (mask ?? Everywhere).Scaled(rows, columns).Cells.ToArray().Select(cell => cell >= .5f ? 1f : 0f).ToArray();
        return tensor(cells, [rows, columns, 1]);
    }

    private Reading Read(string prompt, CancellationToken cancellation)
    {
        using var tap = new SiteTap(model.Model, _sites, pictures: 1, isGuided: false, site => model.Saes[site].ReadsOutput);
        var steps = new List<Dictionary<Site, Tensor>>();
        var picture = Run(prompt, null, Keep, cancellation);
        return new(steps, picture);

        void Keep() => steps.Add(tap.Of(0).ToDictionary(pair => pair.Key, pair => pair.Value.clone()));
    }

    private Picture Run(
        string prompt, Func<Site, int, Tensor, Tensor>? change, Action? afterStep, CancellationToken cancellation)
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
        var hooks = change is null
            ? []
            : _sites.Select(site => model.Model.Hook(site, (_, output) => change(site, step, output))).ToArray();
        try
        {
            var latents = run.StartLatents();
            foreach (var done in run.Denoise(predict: (given, token) => model.Model.Run(given, [], cancellation: token).Output!,
                cancellation: cancellation))
            {
                latents = done.After;
                step++;
                afterStep?.Invoke();
            }
            var pixels = Pixels.ToBytes(model.Model.Decode(Scheduler.LatentsOf(latents), cancellation));
            return new Picture((int)pixels.shape[2], (int)pixels.shape[1], 3, pixels.bytes.ToArray());
        }
        finally
        {
            foreach (var hook in hooks)
                hook.Dispose();
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

    private sealed record Reading(IReadOnlyList<Dictionary<Site, Tensor>> Vectors, Picture Picture);
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

    public IReadOnlyList<double> Strengths { get; init; } = [1, 2];

    public int Steps { get; init; } = 4;

    public long Seed { get; init; } = 42;
}

/// <param name="Score">Share of all activation in the edited prompt's mask, less that in the original's.</param>
public sealed record RieFeature(Site Site, int Feature, double Score);

/// <summary>One edited picture.</summary>
/// <param name="Method"><see cref="RieProtocol.Features"/> or <see cref="RieProtocol.Difference"/>.</param>
/// <param name="Count">Number of features; null for the baseline.</param>
/// <param name="Inside">Mean change of the picture inside the original's mask, 0 to 1.</param>
/// <param name="Outside">Mean change outside.</param>
/// <param name="Clip">Cosine of the embeddings of the picture and of the edited prompt; null without CLIP.</param>
public sealed record RieRow(
    RiePair Pair, string Method, int? Count, double Strength, double Inside, double Outside, double? Clip);
