using System.Runtime.CompilerServices;
using TorchSharp;

namespace SaeUnbox.Testing;

/// <summary>
/// Counts the tensors that nobody disposed, on whatever thread they were made: the garbage collector's thread freed them. Each could have
/// been freed while native code read it.
/// </summary>
public static class FinalizedTensors
{
    /// <summary>How many there were since the program started. Other tests that run at the same time count, too.</summary>
    public static long Count()
    {
        Collect();
        var probe = new StrongBox<long>();
        Leave(probe);
        Collect();
        return probe.Value;
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Leave(StrongBox<long> probe) => _ = new Probe(probe);

    // TorchSharp counts by thread, so the count is read on the thread of the finalizers.
    private sealed class Probe(StrongBox<long> target)
    {
        ~Probe() => target.Value = DisposeScopeManager.Statistics.TensorStatistics.DisposedOutsideScopeCount;
    }
}
