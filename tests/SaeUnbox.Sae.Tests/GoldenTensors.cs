using SaeUnbox.Checkpoints;
using SaeUnbox.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Sae.Tests;

internal static class GoldenTensors
{
    /// <summary>One tensor of a golden safetensors file.</summary>
    public static Tensor Read(string file, string name)
    {
        using var checkpoint = Checkpoint.Open(Goldens.At(file.Split('/')));
        return checkpoint.Read(name);
    }

    public static bool Has(string file, string name)
    {
        using var checkpoint = Checkpoint.Open(Goldens.At(file.Split('/')));
        return checkpoint.Entries.ContainsKey(name);
    }

    public static float[] Floats(this Tensor tensor) => tensor.to(ScalarType.Float32).cpu().contiguous().data<float>().ToArray();

    public static long[] Integers(this Tensor tensor) => tensor.to(ScalarType.Int64).cpu().contiguous().data<long>().ToArray();

    /// <summary>The largest absolute difference, shapes being equal.</summary>
    public static void AssertClose(Tensor expected, Tensor actual, double tolerance, string what = "")
    {
        Assert.Equal(expected.shape, actual.shape);
        var (e, a) = (expected.Floats(), actual.Floats());
        var worst = 0.0;
        for (var i = 0; i < e.Length; i++)
        {
            Assert.True(float.IsFinite(a[i]), $"{what}[{i}] is {a[i]}");
            worst = Math.Max(worst, Math.Abs((double)e[i] - a[i]));
        }

        Assert.True(worst <= tolerance, $"{what}: largest difference {worst}, allowed {tolerance}");
    }

    /// <summary>The blocks of the goldens and the folders of their autoencoders.</summary>
    public static IEnumerable<(string Site, string Folder)> Saes() =>
        Goldens.Json("saes.json").GetProperty("folders").EnumerateObject()
            .Select(entry => (entry.Name, Goldens.At(entry.Value.GetString()!.Split('/'))));

    public static TheoryData<string> Sites() => [.. Saes().Select(sae => sae.Site)];

    public static SparseAutoencoder Load(string site) => SaeLoader.Load(Saes().First(sae => sae.Site == site).Folder);

    /// <summary>A block's input or output in a run, all steps: [batch, step, d, h, w].</summary>
    public static Tensor Block(string run, string site, string which) =>
        Read($"runs/{run}.safetensors", $"{Contracts.HookSite.Parse(site).ModulePath}/{which}");
}
