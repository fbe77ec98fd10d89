using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class NoiseTests
{
    // Kernels without AVX2 differ by up to this; with it, by nothing.
    private const double Tolerance = 2e-6;

    private static readonly Checkpoint File = Checkpoint.Open(Goldens.At("noise.safetensors"));

    public static TheoryData<string> Draws =>
        [.. File.Entries.Keys.Where(n => n.StartsWith("seed") && n.Split('/')[1] is not ("corner" or "last16" or "next" or "n5_then_n3"))];

    public static TheoryData<string> Seeds =>
        [.. File.Entries.Keys.Where(n => n.StartsWith("seed")).Select(n => n.Split('/')[0]).Distinct()];

    [Theory, MemberData(nameof(Draws))]
    public void Draw_FreshGenerator_HasTheReferenceNumbers(string name)
    {
        using var scope = NewDisposeScope();
        var expected = File.Read(name);
        var actual = Noise.Draw(GeneratorOf(name.Split('/')[0]), expected.shape, expected.dtype);
        Assert.Equal(expected.dtype, actual.dtype);

        // A half may fall on the other side where the float32 below it differs in the last place.
        var halfStep = expected.dtype switch { ScalarType.Float16 => 2e-3, ScalarType.BFloat16 => 1.6e-2, _ => Tolerance };
        TensorAssert.Close(expected, actual, halfStep);
        Assert.True((expected - actual).abs().IsAbove(Tolerance).sum().item<long>() <= expected.numel() / 200);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Draw_TwiceFromOneGenerator_Continues(string seed)
    {
        using var scope = NewDisposeScope();
        var sums = Goldens.Json("noise.json").GetProperty(seed);
        var generator = GeneratorOf(seed);
        var whole = Noise.Draw(generator, [1, 4, 64, 64]);
        var corner = File.Read($"{seed}/corner");
        TensorAssert.Close(corner, whole.narrow(2, 0, corner.shape[2]).narrow(3, 0, corner.shape[3]), Tolerance);
        TensorAssert.Close(File.Read($"{seed}/last16"), whole.reshape(-1).narrow(0, whole.numel() - 16, 16), Tolerance);
        Assert.Equal(sums.GetProperty("sum").GetDouble(), whole.to(float64).sum().item<double>(), 1e-2);
        Assert.Equal(sums.GetProperty("sum_of_squares").GetDouble(), whole.to(float64).Square().sum().item<double>(), 1e-1);
        var next = File.Read($"{seed}/next");
        TensorAssert.Close(next, Noise.Draw(generator, next.shape), Tolerance);

        var scalar = GeneratorOf(seed);
        TensorAssert.Close(File.Read($"{seed}/n5_then_n3"), cat([Noise.Draw(scalar, [5]), Noise.Draw(scalar, [3])]), Tolerance);
    }

    [Fact]
    public void Draw_OneGeneratorPerItem_DrawsEachItemAsAlone()
    {
        using var scope = NewDisposeScope();
        var expected = File.Read("list_of_generators");
        TensorAssert.Close(expected, Noise.Draw([GeneratorOf("seed0"), GeneratorOf("seed42")], expected.shape), Tolerance);
    }

    [Fact]
    public void CreateGenerator_LargestSeed_CountsItsLow32Bits()
    {
        using var scope = NewDisposeScope();
        TensorAssert.Same(Noise.Draw(Noise.CreateGenerator(uint.MaxValue), [32]), Noise.Draw(Noise.CreateGenerator(long.MaxValue), [32]));
    }

    [Fact]
    public void CreateGenerator_NegativeSeed_IsRefused() =>
        Assert.Contains("-1", Assert.Throws<ModelException>(() => Noise.CreateGenerator(-1)).Message);

    [Fact]
    public void Sequence_ReadOutOfOrder_IsDrawnInOrder()
    {
        using var scope = NewDisposeScope();
        using var sequence = new NoiseSequence([3, 4], [2, 4, 2, 2], ScalarType.Float32, t => t.alias());
        var late = sequence[2].clone();
        Generator[] generators = [Noise.CreateGenerator(3), Noise.CreateGenerator(4)];
        for (var i = 0; i < 3; i++)
            TensorAssert.Same(Noise.Draw(generators, [2, 4, 2, 2]), sequence[i]);

        TensorAssert.Same(late, sequence[2]);
    }

    private static Generator GeneratorOf(string seed) => Noise.CreateGenerator(long.Parse(seed["seed".Length..]));
}
