using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Activations by the name a configuration gives them.</summary>
internal static class Activations
{
    /// <exception cref="ModelException">No activation has this name here.</exception>
    public static Func<Tensor, Tensor> Named(string name) => name switch
    {
        "relu" => x => nn.functional.relu(x),
        "silu" or "swish" => x => nn.functional.silu(x),
        "gelu" => nn.functional.gelu,
        _ => throw new ModelException($"The activation \"{name}\" is not known; relu, silu, swish and gelu are."),
    };
}
