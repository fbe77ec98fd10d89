using System.Runtime.CompilerServices;

namespace SaeUnbox.Steering.Tests;

internal static class OneThread
{
    // The tensors here are tiny: waking a second thread costs more than it computes.
    [ModuleInitializer]
    internal static void Set() => Threads.Use(1);
}
