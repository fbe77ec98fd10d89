using SaeUnbox.Testing;
using static SaeUnbox.Steering.Tests.GoldenSaes;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

public class WritingTests
{
    [Theory]
    [MemberData(nameof(Sites), MemberType = typeof(GoldenSaes))]
    public void Save_LoadedAgain_IsEqualAndColumnMajor(string site)
    {
        using var scope = NewDisposeScope();
        using var written = new WrittenFolder();
        using var expected = Load(site);
        var folder = written.At(Path.GetRelativePath(Goldens.Root, Saes().First(sae => sae.Site == site).Folder));
        SaeWriter.Save(expected, folder);
        using var sae = SaeLoader.Load(folder);
        Assert.Equal(expected.Config, sae.Config);
        Assert.Equal(expected.EncoderWeight.Floats(), sae.EncoderWeight.Floats());
        Assert.Equal(expected.Dictionary.Floats(), sae.Dictionary.Floats());
        Assert.Equal(expected.PreBias.Floats(), sae.PreBias.Floats());
        Assert.Equal(expected.LatentBias.Floats(), sae.LatentBias.Floats());
        Assert.Equal(expected.StatsLastNonzero.Integers(), sae.StatsLastNonzero.Integers());
        Assert.Equal(expected.Scale!.Mean, sae.Scale!.Mean);
        Assert.Equal(expected.Scale.StandardDeviation, sae.Scale.StandardDeviation);
        using var checkpoint = Checkpoint.Open(Path.Combine(folder, "state_dict.pth"));
        using var decoder = checkpoint.Read("state_dict.decoder.weight");
        Assert.Equal([1, (long)sae.Config.Width], decoder.stride());
    }
}
