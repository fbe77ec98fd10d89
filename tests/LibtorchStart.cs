using System.Runtime.CompilerServices;

namespace SaeUnbox.Testing;

/// <summary>Part of every test program: sets libtorch up before TorchSharp is used, as programs do.</summary>
internal static class LibtorchStart
{
    [ModuleInitializer]
    internal static void Prepare() => SaeUnbox.Models.Libtorch.Prepare();
}
