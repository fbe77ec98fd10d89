using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// What the features of a model do to the picture of a recipe. Everything starts again from the cached run before the site, so that a feature
/// costs a fraction of a picture. Used by one thread at a time.
/// </summary>
/// <param name="model">The model, with autoencoders; the caller's.</param>
/// <param name="recipe">The picture; edits of its own stay.</param>
public sealed class FeatureEffects(LoadedModel model, Recipe recipe) : IDisposable
{
    private readonly RecipeRunner _runner = new(model, prefixes: 1);
    private RunOutcome? _plain;

    /// <summary>The picture as it is, with what is active in it.</summary>
    public RunOutcome Plain(CancellationToken cancellation = default) => _plain ??= _runner.Run(recipe, new RunRequest { Read = [.. model.Saes.Keys] }, cancellation);

    /// <summary>How much of what a site adds its autoencoder explains, in this picture, over all steps: by the reference's formula and the usual one.</summary>
    public IReadOnlyList<SiteExplained> Explained(CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var recorder = new RunRecorder([.. model.Saes.Keys]);
        // A runner of its own: a recorded run is a whole one, and would push the cached one out.
        using (var runner = new RecipeRunner(model, prefixes: 1))
            runner.Run(recipe, new RunRequest { Recorder = recorder, Picture = false }, cancellation);
        return [.. model.Saes.Select(pair => Explain(pair.Key, recorder))];
    }

    /// <summary>Takes each of a picture's active features out alone (leave one out), the most active first, and tells how the picture changes.</summary>
    /// <param name="most">Features taken out at most.</param>
    public IEnumerable<FeatureAblation> Ablations(HookSite site, int most, CancellationToken cancellation = default)
    {
        var plain = Plain(cancellation);
        foreach (var active in MapOf(site, plain).Top(most).TakeWhile(active => active.Mean > 0))
        {
            var without = Run(new FeatureEdit(site, active.Feature, -1) { Mode = EditMode.Scale }, cancellation);
            yield return new(site, active.Feature, active.Mean, active.Share, PictureChange.Between(plain.Picture!, without).Mean, without);
        }
    }

    /// <summary>Paints each of the features into the mask and tells how much changes inside and outside it.</summary>
    public IEnumerable<FeatureLeakage> Leakages(HookSite site, IEnumerable<int> features, double strength, BrushMask mask, CancellationToken cancellation = default)
    {
        var plain = Plain(cancellation).Picture!;
        foreach (var feature in features)
        {
            var change = PictureChange.Between(plain, Run(new FeatureEdit(site, feature, strength) { Mask = mask }, cancellation));
            var (inside, outside) = change.Split(mask);
            yield return new(site, feature, strength, inside, outside);
        }
    }

    /// <summary>The recipe with a feature everywhere, a row for each seed and a column for each strength.</summary>
    public IReadOnlyList<Picture> Strengths(HookSite site, int feature, IReadOnlyList<double> strengths, IReadOnlyList<long> seeds, CancellationToken cancellation = default) =>
    [
        .. from seed in seeds
           from strength in strengths
           select _runner.Run(With(new FeatureEdit(site, feature, strength)) with { Seed = seed }, cancellation: cancellation).Picture!,
    ];

    public void Dispose() => _runner.Dispose();

    private Picture Run(FeatureEdit edit, CancellationToken cancellation) => _runner.Run(With(edit), cancellation: cancellation).Picture!;

    private Recipe With(FeatureEdit edit) => recipe with { Edits = [.. recipe.Edits, edit] };

    private static SiteActivations MapOf(HookSite site, RunOutcome outcome) => outcome.Maps.Find(site) ?? throw new RecipeException("site", $"has no autoencoder for {site}");

    private SiteExplained Explain(HookSite site, RunRecorder recorder)
    {
        using var scope = NewDisposeScope();
        // [steps, B, C, h, w] to [steps, B, h, w, C]; under guidance the conditional half is the last picture of the batch.
        var difference = recorder[$"{site}.output"].to_type(ScalarType.Float32) - recorder[$"{site}.input"].to_type(ScalarType.Float32);
        var vectors = difference.narrow(1, difference.shape[1] - 1, 1).permute(0, 1, 3, 4, 2).contiguous().to(model.Saes[site].Device);
        var reconstruction = model.Saes[site].Reconstruct(vectors);
        return new(site, ExplainedVariance.PerChannel(reconstruction, vectors), ExplainedVariance.Pooled(reconstruction, vectors));
    }
}

/// <param name="PerChannel">By the reference's formula.</param>
/// <param name="Pooled">By the usual one.</param>
public sealed record SiteExplained(HookSite Site, double PerChannel, double Pooled);

/// <param name="Mean">The feature's mean over the grid.</param>
/// <param name="Share">Share of cells in which it is active.</param>
/// <param name="Change">Mean change of the picture without it, 0 to 1.</param>
/// <param name="Picture">The picture without it.</param>
public sealed record FeatureAblation(HookSite Site, int Feature, double Mean, double Share, double Change, Picture Picture);

/// <param name="Inside">Mean change of the picture inside the mask, 0 to 1.</param>
/// <param name="Outside">The same outside.</param>
public sealed record FeatureLeakage(HookSite Site, int Feature, double Strength, double Inside, double Outside)
{
    /// <summary>Outside over inside; null where nothing changes inside.</summary>
    public double? Ratio => Inside > 0 ? Outside / Inside : null;
}

/// <summary>By how much two pictures of one size differ: of every pixel the mean over its colours, 0 to 1.</summary>
internal sealed class PictureChange
{
    private readonly float[] _values;
    private readonly int _width, _height;

    private PictureChange(float[] values, int width, int height) => (_values, _width, _height) = (values, width, height);

    public double Mean => _values.Average(value => (double)value);

    public static PictureChange Between(Picture first, Picture second)
    {
        if ((first.Width, first.Height) != (second.Width, second.Height))
            throw new ArgumentException($"pictures of {first.Width} x {first.Height} and {second.Width} x {second.Height} pixels cannot be compared");
        var values = new float[first.Width * first.Height];
        for (var i = 0; i < values.Length; i++)
        {
            var a = first.Pixels.Slice(i * first.Channels, 3);
            var b = second.Pixels.Slice(i * second.Channels, 3);
            values[i] = (Math.Abs(a[0] - b[0]) + Math.Abs(a[1] - b[1]) + Math.Abs(a[2] - b[2])) / (3f * 255);
        }
        return new(values, first.Width, first.Height);
    }

    /// <summary>The means inside and outside a mask; a cell counts inside by its value. 0 where there is no such part.</summary>
    public (double Inside, double Outside) Split(BrushMask mask)
    {
        double inside = 0, outside = 0, inner = 0;
        for (var y = 0; y < _height; y++)
            for (var x = 0; x < _width; x++)
            {
                double share = mask[y * mask.Rows / _height, x * mask.Columns / _width], value = _values[(y * _width) + x];
                (inside, outside, inner) = (inside + (share * value), outside + ((1 - share) * value), inner + share);
            }
        var outer = _values.Length - inner;
        return (inner > 0 ? inside / inner : 0, outer > 0 ? outside / outer : 0);
    }
}
