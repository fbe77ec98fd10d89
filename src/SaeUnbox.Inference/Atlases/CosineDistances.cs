using SaeUnbox.Sae;
using SaeUnbox.Torch;
using static TorchSharp.torch;

namespace SaeUnbox.Inference;

/// <summary>How far apart decoder directions are: 2 - 2 cos, the squared distance of unit vectors.</summary>
internal static class CosineDistances
{
    public static float[,] Between(SparseAutoencoder sae, IReadOnlyList<int> features)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var count = features.Count;
        var distances = new float[count, count];
        if (count == 0)
            return distances;
        var rows = sae.Dictionary.index_select(0, tensor(features.Select(feature => (long)feature).ToArray(), device: sae.Device)).to_type(ScalarType.Float32);
        rows = rows / rows.norm(1, true).AtLeast(1e-12);
        var flat = rows.mm(rows.t()).Times(2).SubtractedFrom(2).AtLeast(0).cpu().contiguous().data<float>().ToArray();
        Buffer.BlockCopy(flat, 0, distances, 0, flat.Length * sizeof(float));
        return distances;
    }
}
