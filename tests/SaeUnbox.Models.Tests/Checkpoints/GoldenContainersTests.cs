using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Models.Tests;

public sealed class GoldenContainersTests : IDisposable
{
    private readonly DisposeScope _scope = torch.NewDisposeScope();

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
            var tensor = checkpoint.Read(name);
            Assert.Equal(entry.Shape, tensor.shape);
            Assert.Equal(entry.DType, tensor.dtype);
            if (torch.is_floating_point(tensor.dtype))
                Assert.True(tensor.to(torch.float32).isfinite().all().item<bool>(), name);
        }
    }

    [Fact]
    public void Read_FlatDictionary_EqualsTheNestedOne() =>
        RequireSame("up_blocks.0.attentions.1", Goldens.At("saes_other", "up.0.1_flat.pt"), "", tensor => tensor);

    [Fact]
    public void Read_LegacyContainer_EqualsTheZip() =>
        RequireSame("mid_block.attentions.0", Goldens.At("saes_other", "mid.0_legacy", "state_dict.pth"), "state_dict.", tensor => tensor);

    [Fact]
    public void Read_HalfPrecisionFromAnotherDevice_IsTheFullOneRounded() =>
        RequireSame("down_blocks.2.attentions.1", Goldens.At("saes_other", "down.2.1_half.pth"), "state_dict.",
            tensor => torch.is_floating_point(tensor.dtype) ? tensor.to(torch.float16) : tensor);

    [Theory, InlineData("mean.pt"), InlineData("std.pt")]
    public void Read_LegacyStatistics_EqualTheZip(string name)
    {
        using var legacy = Checkpoint.Open(Goldens.At("saes_other", "mid.0_legacy", name));
        using var zip = Checkpoint.Open(Path.Combine(SaeFolder("mid_block.attentions.0"), name));
        TensorAssert.Same(zip.Read(""), legacy.Read(""));
    }

    [Fact]
    public void Read_SaeDecoder_IsColumnMajorWithUnitColumns()
    {
        using var checkpoint = Checkpoint.Open(Path.Combine(SaeFolder("mid_block.attentions.0"), "state_dict.pth"));
        var decoder = checkpoint.Read("state_dict.decoder.weight");
        Assert.Equal([1L, decoder.shape[0]], decoder.stride());
        // With wrong strides the columns would have other norms than about 1. The last training step moves them slightly off 1.
        TensorAssert.Close(torch.ones([decoder.shape[1]]), decoder.Square().sum(dim: 0).sqrt(), 0.05);

        var rowMajor = torch.empty(decoder.shape);
        checkpoint.Read("state_dict.decoder.weight", rowMajor);
        TensorAssert.Same(decoder, rowMajor);
    }

    private static string SaeFolder(string site) =>
        Path.Combine(Directory.EnumerateDirectories(Goldens.At("saes")).Single(folder => folder.Contains(site)), "final");

    private static void RequireSame(string site, string other, string prefix, Func<torch.Tensor, torch.Tensor> rounded)
    {
        using var expected = Checkpoint.Open(Path.Combine(SaeFolder(site), "state_dict.pth"));
        using var actual = Checkpoint.Open(other);
        Assert.Equal(expected.Entries.Keys.Select(name => name["state_dict.".Length..]).Order(),
            actual.Entries.Keys.Select(name => name[prefix.Length..]).Order());
        foreach (var name in actual.Entries.Keys)
            TensorAssert.Same(rounded(expected.Read($"state_dict.{name[prefix.Length..]}")), actual.Read(name));
    }

    public void Dispose() => _scope.Dispose();
}
