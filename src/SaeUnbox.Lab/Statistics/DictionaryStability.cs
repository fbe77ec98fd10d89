using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// How alike two dictionaries of a site are, such as two trained from different seeds: by the cosines of their features' directions, with
/// each feature matched with one of the other so that the sum of cosines is largest (Paulo and Belrose, arXiv 2501.16615).
/// </summary>
public static class DictionaryStability
{
    /// <summary>The cosine from which two matched features count as the same, as in the paper.</summary>
    public const double Same = 0.7;

    /// <exception cref="SaeException">The dictionaries differ in width.</exception>
    public static StabilityFigures Measure(IFeatureDictionary first, IFeatureDictionary second)
    {
        var (few, many) = first.Features <= second.Features ? (first, second) : (second, first);
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var cosines = CosineNeighbours.Cosines(few, many).to(ScalarType.Float32).cpu();
        var (rows, columns) = (few.Features, many.Features);
        var values = cosines.contiguous().data<float>().ToArray();
        double[] matched = [.. Assignment.Largest(values, rows, columns).Select((column, row) => (double)values[(row * columns) + column])];
        var best = cosines.amax(ReferenceEquals(few, first) ? 1L : 0L);
        return new(first.Features, second.Features, matched.Average(), matched.Count(cosine => cosine >= Same) / (double)rows,
            best.to(ScalarType.Float64).mean().item<double>());
    }
}

/// <summary>How alike two dictionaries are.</summary>
/// <param name="MatchedCosine">Mean cosine of the matched features; of unequal numbers each of the smaller dictionary is matched.</param>
/// <param name="SameShare">Share of matches with a cosine of at least <see cref="DictionaryStability.Same"/>.</param>
/// <param name="BestCosine">Mean over the first dictionary's features of the largest cosine with any feature of the second.</param>
public sealed record StabilityFigures(int First, int Second, double MatchedCosine, double SameShare, double BestCosine);
