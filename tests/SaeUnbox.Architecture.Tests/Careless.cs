using static TorchSharp.torch;

namespace SaeUnbox.Architecture.Tests;

/// <summary>What the code must not do, for the tests to find. Nothing calls it.</summary>
internal static class Careless
{
    public static Tensor ScalarOfAnOperator(Tensor x) => x * 0.5;

    public static Tensor ScalarOfASum(Tensor x, Tensor y) => x + y;

    public static Tensor ScalarOfAnArgument(Tensor x) => x.clamp_min(0);

    public static Tensor ScalarInsideAnOverload(Tensor x, Tensor y) => x.add_(y);

    public static async Task<long> AwaitInsideAScope(Tensor x)
    {
        using var scope = NewDisposeScope();
        await Task.Yield();
        return x.numel();
    }

    public static IEnumerable<long> YieldInsideAMode(Tensor x)
    {
        using var mode = no_grad();
        yield return x.numel();
    }
}
