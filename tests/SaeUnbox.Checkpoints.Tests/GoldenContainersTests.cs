using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Checkpoints.Tests;

public sealed class GoldenContainersTests
{
    public static TheoryData<string> Good() => new(Directory.EnumerateFiles(Goldens.Root, "*", SearchOption.AllDirectories)
        .Where(path => Path.GetExtension(path) is ".safetensors" or ".pt" or ".pth" && !path.Contains("badfiles"))
        .Select(path => Path.GetRelativePath(Goldens.Root, path)));

    [Theory, MemberData(nameof(Good))]
    public void Read_EveryTensor_HasItsShapeAndFiniteValues(string path)
    {
        using var checkpoint = Checkpoint.Open(Goldens.At(path));
        Assert.NotEmpty(checkpoint.Entries);
        foreach (var (name, entry) in checkpoint.Entries)
        {
            using var tensor = checkpoint.Read(name);
            Assert.Equal(entry.Shape, tensor.shape);
            Assert.Equal(entry.DType, tensor.dtype);
            if (!torch.is_floating_point(tensor.dtype)) continue;
            using var wide = tensor.to(torch.float32);
            using var finite = wide.isfinite().all();
            Assert.True(finite.item<bool>() || path.Contains("train"), name);
        }
    }
}
