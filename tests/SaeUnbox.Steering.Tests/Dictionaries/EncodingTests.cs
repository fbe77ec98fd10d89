using SaeUnbox.Testing;
using static SaeUnbox.Steering.Tests.GoldenSaes;
using static SaeUnbox.Testing.GoldenTensors;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

public class EncodingTests
{
    private const string File = "saes.safetensors";

    [Theory]
    [MemberData(nameof(GoldenSaes.Sites), MemberType = typeof(GoldenSaes))]
    public void Encode_CachedDifference_GivesReferenceCodes(string site)
    {
        using var scope = NewDisposeScope();
        using var sae = Load(site);
        using var codes = sae.Encode(Read(File, $"{site}/diff"));
        Assert.Equal(Read(File, $"{site}/inds").Integers(), codes.Indices.Integers());
        TensorAssert.Close(Read(File, $"{site}/vals"), codes.Values, Limit.Codes, "values");
        var means = new float[codes.Features];
        foreach (var feature in MapOf(site, codes).Top(codes.Features))
            means[feature.Feature] = (float)feature.Mean;
        TensorAssert.Close(Read(File, $"{site}/mean_activation"), tensor(means), Limit.Codes, "means");
        TensorAssert.Close(codes.ToDense().sum(-1), codes.Values.sum(-1), 1e-4, "dense");
    }

    [Theory]
    [MemberData(nameof(GoldenSaes.Sites), MemberType = typeof(GoldenSaes))]
    public void Top_TurboRun_EqualsTheReference(string site)
    {
        using var scope = NewDisposeScope();
        using var sae = Load(site);
        using var codes = sae.Encode(Read(File, $"{site}/diff"));
        var expected = Read(File, $"{site}/top10").Integers();
        // Which of the features that are active nowhere fill the rest is chance.
        var active = MapOf(site, codes).Top(expected.Length).TakeWhile(top => top.Mean > 0).Select(top => (long)top.Feature).ToArray();
        Assert.NotEmpty(active);
        Assert.Equal(expected.Take(active.Length), active);
    }

    [Theory]
    [MemberData(nameof(GoldenSaes.Sites), MemberType = typeof(GoldenSaes))]
    public void Reconstruct_CachedDifference_GivesReferenceAndItsExplainedVariance(string site)
    {
        using var scope = NewDisposeScope();
        using var sae = Load(site);
        var x = Read(File, $"{site}/diff");
        var reconstruction = sae.Reconstruct(x);
        TensorAssert.Close(Read(File, $"{site}/reconstruction"), reconstruction, Limit.Codes, "reconstruction");
        var expected = Goldens.Json("saes.json").GetProperty(site).GetProperty("explained_variance").GetDouble();
        Assert.Equal(expected, ExplainedVariance.PerChannel(reconstruction, x), 1e-5);
    }

    [Theory]
    [MemberData(nameof(GoldenSaes.Sites), MemberType = typeof(GoldenSaes))]
    public void UpdateLastNonzero_OneForward_MatchesTheReference(string site)
    {
        using var scope = NewDisposeScope();
        using var sae = Load(site);
        Assert.Equal(Read(File, $"{site}/stats_before").Integers(), sae.StatsLastNonzero.Integers());
        using var codes = sae.Encode(Read(File, $"{site}/diff"));
        LastNonzero.Update(sae.StatsLastNonzero, codes.Indices, codes.Values);
        Assert.Equal(Read(File, $"{site}/stats_after").Integers(), sae.StatsLastNonzero.Integers());
    }

    [Theory]
    [MemberData(nameof(GoldenSaes.Sites), MemberType = typeof(GoldenSaes))]
    public void Read_GuidedRun_UsesTheConditionalHalf(string site)
    {
        var step = Goldens.BaseStep;
        using var scope = NewDisposeScope();
        using var sae = Load(site);
        var (input, output) = (Block("base", site, "input").select(1, step), Block("base", site, "output").select(1, step));
        var maps = ActivationReader.Read(sae, Core.Site.Parse(site), step, input, output, picture: 1);

        Assert.Equal((input.shape[2], input.shape[3]), (maps.Rows, maps.Columns));
        Assert.Equal(sae.Config.K, maps.K);
        var expected = Read(File, $"{site}/base_mean_activation").Floats();
        for (var feature = 0; feature < expected.Length; feature++)
            Assert.Equal(expected[feature], maps.Map(feature).Average(),
                Limit.Codes.Absolute * Math.Max(1, expected.Max() / Limit.Codes.Size));
        var top = Read(File, $"{site}/base_top10").Integers();
        var active = maps.Top(top.Length).Select(feature => (long)feature.Feature).ToArray();
        Assert.Equal(top.Take(active.Length), active);
    }

    [Fact]
    public void Encode_ManyNegativePreActivations_KeepsZeros()
    {
        using var scope = NewDisposeScope();
        using var sae = SaeLoader.Load(Goldens.At("saes_other", "probe"));
        var x = Read(File, "probe/x");
        using var codes = sae.Encode(x);
        Assert.Equal(Read(File, "probe/inds").Integers(), codes.Indices.Integers());
        TensorAssert.Close(Read(File, "probe/latents"), codes.ToDense(), Limit.Codes, "latents");
        TensorAssert.Close(Read(File, "probe/reconstruction"), sae.Decode(codes), Limit.Codes, "reconstruction");
        LastNonzero.Update(sae.StatsLastNonzero, codes.Indices, codes.Values);
        Assert.Equal(Read(File, "probe/stats_after").Integers(), sae.StatsLastNonzero.Integers());
    }

    [Fact]
    public void Encode_WrongWidth_NamesBothSizes()
    {
        using var scope = NewDisposeScope();
        using var sae = SaeLoader.Load(Goldens.At("saes_other", "probe"));
        var error = Assert.Throws<SaeException>(() => sae.Encode(zeros([2, sae.Config.Width + 1])));
        Assert.Contains($"{sae.Config.Width} channels", error.Message);
    }

    [Fact]
    public void Encode_HalfPrecisionInput_IsComputedInFloat32()
    {
        using var scope = NewDisposeScope();
        using var sae = SaeLoader.Load(Goldens.At("saes_other", "probe"));
        var x = Read(File, "probe/x").to(ScalarType.BFloat16);
        using var codes = sae.Encode(x);
        using var same = sae.Encode(x.to(ScalarType.Float32));
        Assert.Equal(same.Values.Floats(), codes.Values.Floats());
    }

    [Fact]
    public void Encode_Threshold_KeepsExactlyValuesAboveIt()
    {
        using var scope = NewDisposeScope();
        using var sae = SaeLoader.Load(Goldens.At("saes_other", "probe"));
        var x = Read(File, "probe/x");
        using var all = sae.Encode(x);
        var threshold = all.Values.mean().item<float>();
        sae.Config = sae.Config with { Threshold = threshold };
        using var codes = sae.Encode(x);
        var preActivations = sae.PreActivations(x);
        var expected = preActivations * preActivations.IsAbove(threshold).to(ScalarType.Float32);
        TensorAssert.Close(expected, codes.ToDense(), 0, "codes");
    }

    private static SiteActivations MapOf(string site, SparseCodes codes)
    {
        var (rows, columns) = ((int)codes.Indices.shape[^3], (int)codes.Indices.shape[^2]);
        var indices = codes.Indices.to(ScalarType.Int32).reshape(-1).data<int>().ToArray();
        return new(Site.Parse(site), 0, rows, columns, codes.Features, indices, codes.Values.reshape(-1).data<float>().ToArray());
    }
}
