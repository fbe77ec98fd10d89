using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

/// <summary>The golden folder's autoencoders and the activations they were run on.</summary>
internal static class GoldenSaes
{
    /// <summary>The blocks of the goldens and the folders of their autoencoders.</summary>
    public static IEnumerable<(string Site, string Folder)> Saes() =>
        Goldens.Json("saes.json").GetProperty("folders").EnumerateObject()
            .Select(entry => (entry.Name, Goldens.At(entry.Value.GetString()!.Split('/'))));

    public static TheoryData<string> Sites() => [.. Saes().Select(sae => sae.Site)];

    public static SparseAutoencoder Load(string site) => SaeLoader.Load(Saes().First(sae => sae.Site == site).Folder);

    /// <summary>A block's input or output in a run, all steps: [batch, step, d, h, w].</summary>
    public static Tensor Block(string run, string site, string which) =>
        GoldenTensors.Read($"runs/{run}.safetensors", $"{Core.Site.Parse(site).ModulePath}/{which}");

    public static float[] Floats(this Tensor tensor) => tensor.to(ScalarType.Float32).cpu().contiguous().data<float>().ToArray();

    public static long[] Integers(this Tensor tensor) => tensor.to(ScalarType.Int64).cpu().contiguous().data<long>().ToArray();
}
