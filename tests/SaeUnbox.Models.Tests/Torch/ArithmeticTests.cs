using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>Compares each method with plain arithmetic on every element.</summary>
public sealed class ArithmeticTests
{
    private static readonly float[] X = [-2.5f, -1, 0, 0.25f, 3], Y = [4, -3, 2, 0.5f, -1];

    public static TheoryData<string, Func<Tensor, Tensor, Tensor>, Func<float, float, float>> Cases() => new()
    {
        { "Plus", (x, y) => x.Plus(y), (x, y) => x + y },
        { "Plus a number", (x, _) => x.Plus(0.75), (x, _) => x + 0.75f },
        { "Minus", (x, _) => x.Minus(0.75), (x, _) => x - 0.75f },
        { "SubtractedFrom", (x, _) => x.SubtractedFrom(0.75), (x, _) => 0.75f - x },
        { "Times", (x, _) => x.Times(0.75), (x, _) => x * 0.75f },
        { "Times a whole number", (x, _) => x.Times(3), (x, _) => x * 3 },
        { "Over", (x, _) => x.Over(3), (x, _) => x / 3 },
        { "Square", (x, _) => x.Square(), (x, _) => x * x },
        { "Accumulate", (x, y) => x.Accumulate(y), (x, y) => x + y },
        { "Accumulate scaled", (x, y) => x.Accumulate(y, 0.5), (x, y) => x + 0.5f * y },
        { "AddInPlace", (x, _) => x.AddInPlace(0.75), (x, _) => x + 0.75f },
        { "AddInPlace of a whole number", (x, _) => x.AddInPlace(2), (x, _) => x + 2 },
        { "MultiplyInPlace", (x, _) => x.MultiplyInPlace(0.75), (x, _) => x * 0.75f },
        { "DivideInPlace", (x, _) => x.DivideInPlace(3), (x, _) => x / 3 },
        { "AccumulateProduct", (x, y) => x.AccumulateProduct(y, y, 0.5), (x, y) => x + 0.5f * y * y },
        { "AccumulateQuotient", (x, y) => x.AccumulateQuotient(y, y.mul(y), 0.5), (x, y) => x + 0.5f / y },
        { "Fill", (x, _) => x.Fill(0.75), (_, _) => 0.75f },
        { "AtLeast", (x, _) => x.AtLeast(0.5), (x, _) => Math.Max(x, 0.5f) },
        { "Between", (x, _) => x.Between(-1, 0.5), (x, _) => Math.Clamp(x, -1, 0.5f) },
        { "IsAbove", (x, _) => x.IsAbove(0).to_type(ScalarType.Float32), (x, _) => x > 0 ? 1 : 0 },
        { "IsBelow", (x, _) => x.IsBelow(0).to_type(ScalarType.Float32), (x, _) => x < 0 ? 1 : 0 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Method_OfNumbers_IsThatOfEveryElement(string name, Func<Tensor, Tensor, Tensor> method, Func<float, float, float> expected)
    {
        using var scope = NewDisposeScope();
        var actual = method(tensor(X), tensor(Y)).data<float>().ToArray();
        Assert.All(X.Zip(Y, expected).Zip(actual),
            pair => Assert.True(Math.Abs(pair.First - pair.Second) <= 1e-6, $"{name} gives {pair.Second} where {pair.First} is due"));
    }

    [Fact]
    public void IntegerTensors_AnyDtype_KeepTheirType()
    {
        using var scope = NewDisposeScope();
        const long large = (1L << 53) + 1;
        Assert.Equal([large * 3], tensor(new[] { large }).Times(3).data<long>().ToArray());
        Assert.Equal([large + 2], tensor(new[] { large }).AddInPlace(2).data<long>().ToArray());
        Assert.Equal([true, false], tensor(new[] { large, large - 1 }).Is(large).data<bool>().ToArray());
        Assert.Equal([-2, 1], tensor(new[] { -3L, 3 }).FloorOver(2).data<long>().ToArray());
        Assert.Equal([3L, 4, 5], Arithmetic.Range(3, 6, ScalarType.Int64).data<long>().ToArray());
        Assert.Equal([0.5f, 0.5f], Arithmetic.Full([2], 0.5, ScalarType.Float32).data<float>().ToArray());
    }

    [Fact]
    public void AccumulateAt_OneIndexTwice_AddsBothSlices()
    {
        using var scope = NewDisposeScope();
        var sums = zeros([3]).AccumulateAt(tensor(new[] { 2L, 0, 2 }), tensor(new[] { 1f, 10, 100 }));
        Assert.Equal([10f, 0, 101], sums.data<float>().ToArray());
    }

    [Fact]
    public void Gradients_ReachBothSides()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (tensor(X).requires_grad_(), tensor(Y).requires_grad_());
        x.Square().Times(2).Plus(y.Over(4)).SubtractedFrom(1).sum().backward();
        Assert.Equal(X.Select(value => -4 * value), x.grad!.data<float>().ToArray());
        Assert.Equal(Y.Select(_ => -0.25f), y.grad!.data<float>().ToArray());
    }
}
