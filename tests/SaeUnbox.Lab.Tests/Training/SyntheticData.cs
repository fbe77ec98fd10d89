using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests;

/// <summary>Vectors that truly are sparse sums of a few hidden directions, plus an offset.</summary>
internal static class SyntheticData
{
    public static Tensor Make(int rows, int width, int directions, ulong seed)
    {
        using var scope = NewDisposeScope();
        using var hidden = new Generator(99);
        using var draws = new Generator(seed);
        var basis = randn([directions, width], dtype: ScalarType.Float32, generator: hidden);
        var amounts = rand([rows, directions], dtype: ScalarType.Float32, generator: draws);
        // About three directions a row, of positive amounts.
        var active = amounts.IsAbove(1 - 3.0 / directions).to(ScalarType.Float32);
        var strengths = rand([rows, directions], dtype: ScalarType.Float32, generator: draws).Plus(0.5f);
        return (active * strengths).mm(basis).Plus(1).MoveToOuterDisposeScope();
    }
}
