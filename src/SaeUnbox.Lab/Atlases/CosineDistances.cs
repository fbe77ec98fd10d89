using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// How far apart decoder directions are: 2 - 2 cos, the squared distance of unit vectors. In float64: in float32 the subtraction leaves
/// nothing of the distance of directions that nearly coincide.
/// </summary>
internal static class CosineDistances
{
    // Rows held at once.
    private const int Chunk = 1024;

    public static float[,] Between(SparseAutoencoder sae, IReadOnlyList<int> features)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var count = features.Count;
        var distances = new float[count, count];
        if (count == 0)
            return distances;
        var rows = sae.Dictionary.index_select(0, tensor(features.Select(feature => (long)feature).ToArray(), device: sae.Device)).to_type(ScalarType.Float64);
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
