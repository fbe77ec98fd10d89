using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class LibtorchTests
{
    [Fact]
    public void Require_LibtorchPresent_LoadsIt()
    {
        Libtorch.Require();
        Libtorch.Require();
    }

    [Theory]
    [InlineData("/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by /app/libLibTorchSharp.so)",
        "libtorch needs glibc with GLIBC_2.34")]
    [InlineData("libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by libtorch_cpu.so)",
        "libtorch needs libstdc++ with GLIBCXX_3.4.30")]
    [InlineData("libstdc++.so.6: version `CXXABI_1.3.13' not found", "libtorch needs libstdc++ with CXXABI_1.3.13")]
    [InlineData("Unable to load: libstdc++.so.6: cannot open shared object file: No such file or directory",
        "install the package that contains it (libstdc++6 on")]
    [InlineData("libcudart.so.12: cannot open shared object file: No such file or directory",
        "libtorch needs libcudart.so.12, which is not installed")]
    [InlineData("something\nelse", "libtorch cannot be loaded here: something else")]
    public void Explain_LoaderMessage_NamesTheMissingLibrary(string loader, string expected)
    {
        var sentence = LoadFailure.Explain(loader);
        Assert.Contains(expected, sentence, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', sentence);
        Assert.EndsWith(loader.Contains('\n') ? "else" : ".", sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void Describe_ProductOfWrongShapes_NamesOperatorAndShapesInOneLine()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (zeros([3, 4]), zeros([5, 6]));
        var error = Assert.ThrowsAny<ExternalException>(() => a.mm(b));
        Assert.Contains("frame #", error.Message, StringComparison.Ordinal);
        Assert.Equal("libtorch failed in mm: mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)", LibtorchError.Describe(error));
    }
}
