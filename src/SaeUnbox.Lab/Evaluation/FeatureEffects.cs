using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Measures what the features of a model do to a picture. Every run resumes from the cached run at the feature's site, which takes a
/// fraction of a whole run. Not safe for several threads at once.
/// </summary>
/// <param name="model">A model with autoencoders. The caller disposes it.</param>
/// <param name="recipe">The picture. Its own edits stay.</param>
public sealed class FeatureEffects(LoadedModel model, Recipe recipe) : IDisposable
{
    private readonly RecipeRunner _runner = new(model, prefixes: 1);
    private RunOutcome? _plain;

    /// <summary>The picture without further edits, and the activations in it.</summary>
    public RunOutcome Plain(CancellationToken cancellation = default) =>
        _plain ??= _runner.Run(recipe, new RunRequest { Read = [.. model.Saes.Keys] }, cancellation);

    /// <summary>The explained variance of each autoencoder in this picture, over all steps.</summary>
    public IReadOnlyList<SiteExplained> Explained(CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var recorder = new RunRecorder([.. model.Saes.Keys]);
        // A separate runner, because a recorded run would replace the cached one.
        using (var runner = new RecipeRunner(model, prefixes: 1))
            runner.Run(recipe, new RunRequest { Recorder = recorder, Picture = false }, cancellation);
        return [.. model.Saes.Select(pair => Explain(pair.Key, recorder))];
    }

    /// <summary>Removes each active feature of a site alone, the most active first, and measures how the picture changes.</summary>
    /// <param name="most">The most features to remove.</param>
    public IEnumerable<FeatureAblation> Ablations(Site site, int most, CancellationToken cancellation = default)
    {
        var plain = Plain(cancellation);
        foreach (var active in MapOf(site, plain).Top(most).TakeWhile(active => active.Mean > 0))
        {
            var without = Run(new FeatureEdit(site, active.Feature, -1) { Mode = EditMode.Scale }, cancellation);
            yield return new(active.Feature, active.Mean, active.Share, PictureChange.Between(plain.Picture!, without).Mean, without);
        }
    }

    /// <summary>Paints each feature into a mask and measures the change inside and outside of it.</summary>
    public IEnumerable<FeatureLeakage> Leakages(Site site, IEnumerable<int> features, double strength, BrushMask mask,
        CancellationToken cancellation = default)
    {
        var plain = Plain(cancellation).Picture!;
        foreach (var feature in features)
        {
            var change = PictureChange.Between(plain, Run(new FeatureEdit(site, feature, strength) { Mask = mask }, cancellation));
            var (inside, outside) = change.Split(mask);
            yield return new(feature, inside, outside);
        }
    }

    /// <summary>Pictures with a feature added everywhere: for each seed one of each strength.</summary>
    public IReadOnlyList<Picture> Strengths(Site site, int feature, IReadOnlyList<double> strengths, IReadOnlyList<long> seeds,
        CancellationToken cancellation = default) =>
    [
        .. from seed in seeds
           from strength in strengths
           select _runner.Run(With(new FeatureEdit(site, feature, strength)) with { Seed = seed }, cancellation: cancellation).Picture!,
    ];

    /// <summary>A mask of the middle half of the rows and columns, and of one cell at least.</summary>
    public static BrushMask MiddleQuarter(int rows, int columns)
    {
        var cells = new float[rows * columns];
        for (var row = rows / 4; row < Math.Max((rows / 4) + 1, rows * 3 / 4); row++)
            cells.AsSpan((row * columns) + (columns / 4), Math.Max(1, (columns * 3 / 4) - (columns / 4))).Fill(1);
        return BrushMask.FromCells(rows, columns, cells);
    }

    public void Dispose() => _runner.Dispose();

    private Picture Run(FeatureEdit edit, CancellationToken cancellation) => _runner.Run(With(edit), cancellation: cancellation).Picture!;

    private Recipe With(FeatureEdit edit) => recipe with { Edits = [.. recipe.Edits, edit] };

    private static SiteActivations MapOf(Site site, RunOutcome outcome) =>
        outcome.Maps.Find(site) ?? throw new RecipeException("site", $"has no autoencoder for {site}");

    private SiteExplained Explain(Site site, RunRecorder recorder)
    {
        using var scope = NewDisposeScope();
        // From [steps, B, C, h, w] to [steps, h, w, C]. With guidance the conditional picture is the last of the batch.
        var (input, output) = (recorder[$"{site}.input"], recorder[$"{site}.output"]);
        var vectors = model.Saes[site].VectorsOf(input.select(1, input.shape[1] - 1), output.select(1, output.shape[1] - 1))
            .contiguous().to(model.Saes[site].Device);
        var reconstruction = model.Saes[site].Reconstruct(vectors);
        return new(site, ExplainedVariance.PerChannel(reconstruction, vectors), ExplainedVariance.Pooled(reconstruction, vectors));
    }
}

/// <summary>The explained variance of an autoencoder.</summary>
/// <param name="PerChannel">See <see cref="ExplainedVariance.PerChannel"/>.</param>
/// <param name="Pooled">See <see cref="ExplainedVariance.Pooled"/>.</param>
public sealed record SiteExplained(Site Site, double PerChannel, double Pooled);

/// <summary>The effect of removing a feature.</summary>
/// <param name="Mean">The feature's mean activation over the grid.</param>
/// <param name="Share">The share of cells in which it is active.</param>
/// <param name="Change">The mean change of the picture, 0 to 1.</param>
/// <param name="Picture">The picture without the feature.</param>
public sealed record FeatureAblation(int Feature, double Mean, double Share, double Change, Picture Picture);

/// <summary>The effect of painting a feature.</summary>
/// <param name="Inside">The mean change of the picture inside the mask, 0 to 1.</param>
/// <param name="Outside">The mean change outside the mask, 0 to 1.</param>
public sealed record FeatureLeakage(int Feature, double Inside, double Outside)
{
    /// <summary>Outside / inside; null if nothing changes inside.</summary>
    public double? Ratio => Inside > 0 ? Outside / Inside : null;
}

/// <summary>The difference of two pictures of the same size: for each pixel the mean over its colours, 0 to 1.</summary>
internal sealed class PictureChange
{
    private readonly float[] _values;
    private readonly int _width, _height;

    private PictureChange(float[] values, int width, int height) => (_values, _width, _height) = (values, width, height);

    public double Mean => _values.Average(value => (double)value);

    public static PictureChange Between(Picture first, Picture second)
    {
        if ((first.Width, first.Height) != (second.Width, second.Height))
            throw new ArgumentException(
                $"pictures of {first.Width} x {first.Height} and {second.Width} x {second.Height} pixels cannot be compared");
        var values = new float[first.Width * first.Height];
        for (var i = 0; i < values.Length; i++)
        {
            var a = first.Pixels.Slice(i * first.Channels, 3);
            var b = second.Pixels.Slice(i * second.Channels, 3);
            values[i] = (Math.Abs(a[0] - b[0]) + Math.Abs(a[1] - b[1]) + Math.Abs(a[2] - b[2])) / (3f * 255);
        }
        return new(values, first.Width, first.Height);
    }

    /// <summary>The means inside and outside a mask, weighted by its values; 0 for a part that is empty.</summary>
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
