using System.Globalization;
using static TorchSharp.torch;

namespace TorchSharp.Tests;

public sealed class KeptMemoryTests
{
    private const int Rounds = 60, Floats = 1_500_000, PageBytes = 4096;

    // Were freed memory given back, each round would touch all its pages anew.
    [Fact]
    public void Tensors_MadeAndFreedInTurn_TakeThePagesOfTheOneBefore()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "page faults are read from /proc");
        Make();
        var before = Faults();
        for (var i = 0; i < Rounds; i++) Make();

        Assert.InRange(Faults() - before, 0, (long)Rounds * Floats * sizeof(float) / PageBytes / 3);

        static void Make()
        {
            using var tensor = ones(Floats);
        }
    }

    // minflt, the tenth field of the kernel's table; the name before it stands in parentheses.
    private static long Faults() => long.Parse(File.ReadAllText("/proc/self/stat").Split(')')[^1].Split(' ')[8], CultureInfo.InvariantCulture);
}
