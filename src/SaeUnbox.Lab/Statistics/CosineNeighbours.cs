using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>Finds features with similar directions, within a dictionary or in another of the same width.</summary>
public static class CosineNeighbours
{
    // Rows of the similarity matrix computed at a time.
    private const long Chunk = 1024;

    /// <summary>
    /// For each feature of <paramref name="from"/> its <paramref name="count"/> nearest features of <paramref name="to"/>, nearest first.
    /// A feature is not its own neighbour. Computed in float64, so that nearly equal directions keep their order.
    /// </summary>
    /// <exception cref="SaeException">The dictionaries differ in width.</exception>
    public static IReadOnlyList<IReadOnlyList<Neighbour>> Find(IFeatureDictionary from, IFeatureDictionary to, int count)
    {
        RequireEqualWidth(from, to);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var same = ReferenceEquals(from, to);
        var kept = Math.Min(count, to.Features - (same ? 1 : 0));
        var result = new List<IReadOnlyList<Neighbour>>(from.Features);
        if (kept <= 0)
            return [.. Enumerable.Repeat<IReadOnlyList<Neighbour>>([], from.Features)];

        var (rows, columns) = (UnitRows(from.Dictionary), UnitRows(to.Dictionary.to(from.Device)));
        for (long start = 0; start < rows.shape[0]; start += Chunk)
        {
            using var chunk = NewDisposeScope();
            var length = Math.Min(Chunk, rows.shape[0] - start);
            var cosines = rows.narrow(0, start, length).mm(columns.t());
            if (same)
            {
                var own = Arithmetic.Range(start, start + length, ScalarType.Int64, cosines.device).unsqueeze(1);
                cosines.scatter_(1, own, Arithmetic.Full([length, 1], -2, ScalarType.Float64, cosines.device));
            }

            var (values, indices) = cosines.topk(kept, 1);
            var nearest = indices.cpu().data<long>().ToArray();
            var similarity = values.to(ScalarType.Float32).cpu().data<float>().ToArray();
            for (var row = 0; row < length; row++)
                result.Add([.. Enumerable.Range(row * kept, kept).Select(i => new Neighbour((int)nearest[i], similarity[i]))]);
        }

        return result;
    }

    /// <summary>The cosines of all pairs, [features of from, features of to] float64.</summary>
    /// <exception cref="SaeException">The dictionaries differ in width.</exception>
    internal static Tensor Cosines(IFeatureDictionary from, IFeatureDictionary to)
    {
        RequireEqualWidth(from, to);
        return UnitRows(from.Dictionary).mm(UnitRows(to.Dictionary.to(from.Device)).t());
    }

    private static void RequireEqualWidth(IFeatureDictionary from, IFeatureDictionary to)
    {
        if (from.Width != to.Width)
            throw new SaeException($"Directions of {from.Width} and {to.Width} channels cannot be compared.");
    }

    private static Tensor UnitRows(Tensor dictionary)
    {
        var rows = dictionary.to(ScalarType.Float64);
        return rows / rows.Square().sum(1).sqrt().AtLeast(1e-12).unsqueeze(1);
    }
}

/// <summary>A feature, and the cosine of the angle between the two directions.</summary>
public readonly record struct Neighbour(int Feature, float Cosine);
