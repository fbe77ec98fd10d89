using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Operators of libtorch that TorchSharp does not name, reached through a script. They take tensors only.</summary>
internal static class ScriptedOperators
{
    private static readonly Lazy<jit.CompilationUnit> Unit =
        new(() => jit.compile("def product(a, b):\n    return torch._int_mm(a, b)\n"));

    /// <summary>The product of int8 matrices [N, K] and [K, M], in int32.</summary>
    public static Tensor Int8Product(Tensor a, Tensor b) => (Tensor)Unit.Value.invoke("product", a, b)!;
}
