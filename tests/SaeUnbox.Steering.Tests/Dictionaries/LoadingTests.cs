using SaeUnbox.Testing;
using static SaeUnbox.Steering.Tests.GoldenSaes;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

public class LoadingTests
{
    [Theory]
    [InlineData("up.0.1_flat.pt", "up.0.1", 0)]
    [InlineData("mid.0_legacy", "mid.0", 0)]
    [InlineData("down.2.1_half.pth", "down.2.1", 1e-3)]
    public void Load_OtherContainer_HasTheSameWeights(string file, string site, double relative)
    {
        using var scope = NewDisposeScope();
        using var expected = Load(site);
        using var sae = SaeLoader.Load(Goldens.At("saes_other", file));
        Close(expected.EncoderWeight, sae.EncoderWeight);
        Close(expected.Dictionary, sae.Dictionary);
        Close(expected.PreBias, sae.PreBias);
        Close(expected.LatentBias, sae.LatentBias);
        Assert.Equal(expected.StatsLastNonzero.Integers(), sae.StatsLastNonzero.Integers());

        void Close(Tensor a, Tensor b) => TensorAssert.Close(a, b, relative * a.abs().max().item<float>());
    }

    [Fact]
    public void Load_LegacyFolder_HasItsScale()
    {
        using var expected = Load("mid.0");
        using var sae = SaeLoader.Load(Goldens.At("saes_other", "mid.0_legacy"));
        Assert.Equal(expected.Scale!.Mean, sae.Scale!.Mean);
        Assert.Equal(expected.Scale.StandardDeviation, sae.Scale.StandardDeviation);
    }

    [Fact]
    public void Load_ParentOfFinal_FindsIt()
    {
        var (_, folder) = Saes().First();
        using var sae = SaeLoader.Load(Path.GetDirectoryName(folder)!);
        Assert.NotNull(sae.Scale);
    }

    [Fact]
    public void MeanOf_NoMeanFile_SaysSo()
    {
        using var sae = SaeLoader.Load(Goldens.At("saes_other", "probe"));
        Assert.Contains("mean.pt", Assert.Throws<SaeException>(() => sae.MeanOf(0)).Message);
    }

    [Fact]
    public void Load_PathMissing_NamesIt()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains(folder.Path, Assert.Throws<SaeException>(() => SaeLoader.Load(folder.Path)).Message);
        Assert.Contains("absent", Assert.Throws<SaeException>(() => SaeLoader.Load(folder.At("absent"))).Message);
    }

    [Fact]
    public void Load_ConfigOfAnotherSize_ListsEveryMismatch()
    {
        using var folder = new TemporaryFolder();
        File.Copy(Goldens.At("saes_other", "probe", "state_dict.pth"), folder.At("state_dict.pth"));
        var config = SaeConfig.Load(Goldens.At("saes_other", "probe", "config.json"));
        File.WriteAllText(folder.At("config.json"), (config with { Width = config.Width + 1 }).ToJson());
        var error = Assert.Throws<CheckpointException>(() => SaeLoader.Load(folder.Path));
        Assert.Contains("encoder.weight", error.Message);
        Assert.Contains("decoder.weight", error.Message);
        Assert.Contains("pre_bias", error.Message);
    }

    [Fact]
    public void LoadSet_GoldenFolder_HasEachSiteOnce()
    {
        using var set = SaeSet.Load(Goldens.At("saes"));
        Assert.Equal(Saes().Select(sae => Site.Parse(sae.Site)).Order(), set.Keys);
        Assert.All(set.Values, sae => Assert.NotNull(sae.Scale));
    }

    [Fact]
    public void LoadSet_OneAutoencodersFolder_IsASetOfOne()
    {
        var (site, folder) = Saes().First();
        Assert.Equal([Site.Parse(site)], SaeSet.Find(folder).Keys);
        Assert.Equal([Site.Parse(site)], SaeSet.Find(Path.GetDirectoryName(folder)!).Keys);
    }

    [Fact]
    public void FindSet_TwoForOneSite_NamesBoth()
    {
        using var folder = new TemporaryFolder();
        foreach (var name in new[] { "unet.mid_block.attentions.0_k5_hidden9", "unet.mid_block.attentions.0_k6_hidden9" })
            CopyProbe(folder.At(name, "final"));
        var error = Assert.Throws<SaeException>(() => SaeSet.Find(folder.Path));
        Assert.Contains("k5", error.Message);
        Assert.Contains("k6", error.Message);
        Assert.EndsWith("k6_hidden9", SaeSet.Find(folder.Path, "k6_hidden9")[Site.Middle]);
        Assert.EndsWith("k6_hidden9", SaeSet.Find(folder.Path, "k6")[Site.Middle]);
        Assert.Contains("k5_hidden9", Assert.Throws<SaeException>(() => SaeSet.Find(folder.Path, "k6_hidden90")).Message);
    }

    [Fact]
    public void FindSet_ManySizesOfOneSite_PrefersTheDemosSize()
    {
        using var folder = new TemporaryFolder();
        foreach (var size in new[] { "k10_hidden640", "k10_hidden5120", "k160_hidden5120" })
            CopyProbe(folder.At($"unet.mid_block.attentions.0_{size}_auxk256_bs4096_lr0.0001", "final"));
        Assert.Contains("_k10_hidden5120_", SaeSet.Find(folder.Path)[Site.Middle]);
    }

    [Fact]
    public void LoadSet_SnapshotsOnly_TakesTheHighestStep()
    {
        using var folder = new TemporaryFolder();
        var run = folder.At("mid.0_k8");
        CopyProbe(Path.Combine(run, "90"));
        CopyProbe(Path.Combine(run, "100"));
        using var set = SaeSet.Load(folder.Path);
        Assert.EndsWith("100", set[Site.Middle].Source);
    }

    [Fact]
    public void FindSet_EmptyFolder_SaysWhatIsExpected()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("hidden5120", Assert.Throws<SaeException>(() => SaeSet.Find(folder.Path)).Message);
    }

    private static void CopyProbe(string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.EnumerateFiles(Goldens.At("saes_other", "probe")))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
    }
}
