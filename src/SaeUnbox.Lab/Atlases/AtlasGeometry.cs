using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>Compares features by their decoder directions: neighbours, and places on a map.</summary>
internal static class AtlasGeometry
{
    /// <summary>For each feature, the nearest features of every site of the same width, by cosine.</summary>
    /// <param name="least">The smallest cosine of a neighbour.</param>
    public static (Site Site, int Feature, double Cosine)[][] Neighbours(LoadedModel model, Site site, int count, double least)
    {
        var sae = model.Saes[site];
        var others = model.Saes.Where(other => other.Value.Width == sae.Width)
            .Select(other => (Site: other.Key, Near: CosineNeighbours.Find(sae, other.Value, count))).ToArray();
        return [.. Enumerable.Range(0, sae.Features).Select(feature =>
            others.SelectMany(other => other.Near[feature].Where(near => near.Cosine >= least)
                .Select(near => (other.Site, near.Feature, (double)near.Cosine)))
                .ToArray())];
    }

    /// <summary>Places on a map.</summary>
    /// <param name="alive">The features to place. Those that are never active would only crowd the middle.</param>
    public static Dictionary<int, FeaturePlace> Places(LoadedModel model, Site site, int[] alive, CancellationToken cancellation)
    {
        var places = StochasticNeighbours.Place(CosineDistances.Between(model.Saes[site], alive), cancellation: cancellation);
        return alive.Zip(places).ToDictionary(pair => pair.First, pair => new FeaturePlace(pair.First, pair.Second.X, pair.Second.Y));
    }
}

/// <summary>
/// Exact t-SNE (van der Maaten and Hinton, JMLR 9, 2008): places points on a plane so that neighbours stay neighbours. Time and memory grow
/// with the square of the number of points, which suits some thousand. Equal distances give equal places.
/// </summary>
public static class StochasticNeighbours
{
    private const int Iterations = 350, Exaggerated = 90;
    private const double Exaggeration = 8, Tolerance = 1e-4;

    /// <param name="distances">Squared distances, [n, n].</param>
    /// <param name="perplexity">The effective number of neighbours of a point.</param>
    /// <returns>Coordinates from 0 to 1.</returns>
    public static IReadOnlyList<(float X, float Y)> Place(float[,] distances, double perplexity = 15,
        CancellationToken cancellation = default)
    {
        var n = distances.GetLength(0);
        if (n < 3)
            return [.. Enumerable.Range(0, n).Select(i => ((float)i, .5f))];
        var affinities = Affinities(distances, Math.Min(perplexity, (n - 1) / 3.0));
        var random = new Random(1);
        var (y, velocity, gains) = (new double[n * 2], new double[n * 2], new double[n * 2]);
        for (var i = 0; i < y.Length; i++)
            (y[i], gains[i]) = ((random.NextDouble() - .5) * 1e-2, 1);
        var rate = Math.Max(50, n / Exaggeration / 4);
        var forces = new double[n * 2];
        for (var iteration = 0; iteration < Iterations; iteration++)
        {
            cancellation.ThrowIfCancellationRequested();
            Forces(affinities, y, forces, iteration < Exaggerated ? Exaggeration : 1);
            var momentum = iteration < Exaggerated ? .5 : .8;
            for (var i = 0; i < y.Length; i++)
            {
                gains[i] = Math.Max(.01, Math.Sign(forces[i]) != Math.Sign(velocity[i]) ? gains[i] + .2 : gains[i] * .8);
                velocity[i] = momentum * velocity[i] - rate * gains[i] * forces[i];
                y[i] += velocity[i];
            }
        }
        return Normalised(y);
    }

    private static float[,] Affinities(float[,] distances, double perplexity)
    {
        var n = distances.GetLength(0);
        var conditional = new float[n, n];
        Parallel.For(0, n, i =>
        {
            var (low, high, beta, target) = (0.0, double.PositiveInfinity, 1.0, Math.Log(perplexity));
            var row = new double[n];
            var sum = 0.0;
            // Subtracting the smallest distance leaves the shares as they are, and keeps the exponentials from all becoming 0.
            var nearest = float.PositiveInfinity;
            for (var j = 0; j < n; j++)
                if (j != i)
                    nearest = Math.Min(nearest, distances[i, j]);
            for (var attempt = 0; attempt < 60; attempt++)
            {
                var weighted = 0.0;
                sum = 0;
                for (var j = 0; j < n; j++)
                {
                    var further = (double)distances[i, j] - nearest;
                    row[j] = j == i ? 0 : Math.Exp(-further * beta);
                    sum += row[j];
                    weighted += row[j] * further;
                }
                var entropy = sum > 0 ? Math.Log(sum) + beta * weighted / sum : 0;
                if (Math.Abs(entropy - target) < Tolerance)
                    break;
                if (entropy > target)
                    (low, beta) = (beta, double.IsInfinity(high) ? beta * 2 : (beta + high) / 2);
                else
                    (high, beta) = (beta, (beta + low) / 2);
            }
            for (var j = 0; j < n; j++)
                conditional[i, j] = sum > 0 ? (float)(row[j] / sum) : 0;
        });
        var joint = new float[n, n];
        for (var i = 0; i < n; i++)
            for (var j = 0; j < n; j++)
                joint[i, j] = Math.Max((conditional[i, j] + conditional[j, i]) / (2 * n), 1e-12f);
        return joint;
    }

    private static void Forces(float[,] affinities, double[] y, double[] forces, double exaggeration)
    {
        var n = affinities.GetLength(0);
        var sums = new double[n];
        Parallel.For(0, n, i =>
        {
            for (var j = 0; j < n; j++)
                if (j != i)
                    sums[i] += Closeness(i, j);
        });
        var total = Math.Max(sums.Sum(), 1e-12);
        Parallel.For(0, n, i =>
        {
            var (x, z) = (0.0, 0.0);
            for (var j = 0; j < n; j++)
            {
                if (j == i)
                    continue;
                var close = Closeness(i, j);
                var pull = 4 * (exaggeration * affinities[i, j] - close / total) * close;
                x += pull * (y[2 * i] - y[2 * j]);
                z += pull * (y[2 * i + 1] - y[2 * j + 1]);
            }
            (forces[2 * i], forces[2 * i + 1]) = (x, z);
        });

        double Closeness(int i, int j)
        {
            var (dx, dy) = (y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1]);
            return 1 / (1 + dx * dx + dy * dy);
        }
    }

    private static (float X, float Y)[] Normalised(double[] y)
    {
        var xs = y.Where((_, i) => i % 2 == 0).ToArray();
        var ys = y.Where((_, i) => i % 2 == 1).ToArray();
        var (left, wide, top, high) = (xs.Min(), Math.Max(xs.Max() - xs.Min(), 1e-12), ys.Min(), Math.Max(ys.Max() - ys.Min(), 1e-12));
        return [.. xs.Zip(ys, (x, z) => ((float)((x - left) / wide), (float)((z - top) / high)))];
    }
}

/// <summary>
/// Squared distances of unit decoder directions, 2 - 2 cos. Computed in float64, because in float32 the difference of nearly equal
/// directions vanishes.
/// </summary>
internal static class CosineDistances
{
    // Rows computed at a time.
    private const int Chunk = 1024;

    /// <returns>[features, features].</returns>
    public static float[,] Between(IFeatureDictionary sae, IReadOnlyList<int> features)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var count = features.Count;
        var distances = new float[count, count];
        if (count == 0)
            return distances;
        var chosen = tensor(features.Select(feature => (long)feature).ToArray(), device: sae.Device);
        var rows = sae.Dictionary.index_select(0, chosen).to_type(ScalarType.Float64);
        rows = rows / rows.norm(1, true).AtLeast(1e-12);
        for (var start = 0; start < count; start += Chunk)
        {
            using var chunk = NewDisposeScope();
            var cosines = rows.narrow(0, start, Math.Min(Chunk, count - start)).mm(rows.t());
            var flat = cosines.Times(2).SubtractedFrom(2).AtLeast(0).to_type(ScalarType.Float32).cpu().data<float>().ToArray();
            Buffer.BlockCopy(flat, 0, distances, start * count * sizeof(float), flat.Length * sizeof(float));
        }
        return distances;
    }
}
