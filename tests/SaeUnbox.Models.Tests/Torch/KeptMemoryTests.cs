using System.Globalization;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class KeptMemoryTests
{
    private const int Tensors = 16, Floats = 1_500_000;

    [Fact]
    public void Tensors_Freed_ReturnTheirPages()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "what is resident is read from /proc");
        var tensors = Enumerable.Range(0, Tensors).Select(_ => ones(Floats)).ToArray();
        var before = Resident();
        foreach (var tensor in tensors)
            tensor.Dispose();

        Assert.InRange(before - Resident(), double.MinValue, .5 * Tensors * Floats * sizeof(float));
    }

    // VmRSS in bytes.
    private static double Resident() => 1024 * double.Parse(
        File
            .ReadLines("/proc/self/status")
            .First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))
            .Split(':')[1].Replace("kB", "")
            .Trim(), CultureInfo.InvariantCulture);
}
