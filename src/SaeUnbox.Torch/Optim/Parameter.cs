namespace TorchSharp.Modules;

/// <summary>A tensor that an optimiser may change: a leaf that takes over the handle of the tensor it is made of.</summary>
public class Parameter : torch.Tensor
{
    /// <param name="data">A tensor, which becomes empty.</param>
    public Parameter(torch.Tensor data, bool requires_grad = true)
        : base(data.requires_grad_(requires_grad).MoveHandle(), register: false) => data.OwningDisposeScope?.Replace(data, this);
}

/// <summary>Names of the field's library that hold no state here.</summary>
public static class GELU
{
    /// <summary>Which formula of the GELU.</summary>
    public enum Approximate
    {
        none,
        tanh,
    }
}
