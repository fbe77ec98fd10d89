using System.Runtime.CompilerServices;
using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

/// <summary>That the count which other tests trust counts. Alone: it counts the tensors of tests beside it, too.</summary>
[CollectionDefinition(nameof(FinalizedTensorsTests), DisableParallelization = true)]
[Collection(nameof(FinalizedTensorsTests))]
public sealed class FinalizedTensorsTests
{
    [Fact]
    public void Count_UndisposedTensors_IsTheirNumber()
    {
        var before = FinalizedTensors.Count();
        Forget(made: 3);
        Assert.Equal(before + 3, FinalizedTensors.Count());
    }

    [Fact]
    public void Count_TensorsInAScope_IsZero()
    {
        var before = FinalizedTensors.Count();
        using (NewDisposeScope())
            Forget(made: 3);
        Assert.Equal(before, FinalizedTensors.Count());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget(int made)
    {
        for (var i = 0; i < made; i++)
            _ = zeros([4]);
    }
}
