using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Activations by the name a configuration gives them, of a tensor that nobody else holds.</summary>
internal static class Activations
{
    /// <exception cref="ModelException">No activation has this name here.</exception>
    public static Func<Tensor, Tensor> Named(string name) => name switch
    {
        "relu" => Private.Relu,
        "silu" or "swish" => Private.Silu,
        "gelu" => Private.Gelu,
        _ => throw new ModelException($"The activation \"{name}\" is not known; relu, silu, swish and gelu are."),
    };
}
