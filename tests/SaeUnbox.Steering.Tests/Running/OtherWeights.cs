using SaeUnbox.Testing;

namespace SaeUnbox.Steering.Tests;

/// <summary>The golden model in another folder of the same name, with one weight changed.</summary>
internal static class OtherWeights
{
    /// <param name="parent">Gets a folder "model".</param>
    public static LoadedModel Load(string parent, string run = "turbo4")
    {
        var folder = Path.Combine(parent, "model");
        foreach (var file in Directory.GetFiles(Goldens.At("model"), "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(folder, Path.GetRelativePath(Goldens.At("model"), file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        var weights = Directory.GetFiles(Path.Combine(folder, "unet"), "*.safetensors").Single();
        var bytes = File.ReadAllBytes(weights);
        bytes[^4] ^= 1;
        File.WriteAllBytes(weights, bytes);
        return LoadedModel.Load(GoldenModel.Options(run) with { Folder = folder });
    }
}
