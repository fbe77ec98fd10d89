namespace TorchSharp.Modules;

/// <summary>A tensor that an optimiser may change: a leaf that takes over the handle of the tensor it is made of.</summary>
public class Parameter : torch.Tensor
{
    /// <param name="data">A tensor, which becomes empty.</param>
    public Parameter(torch.Tensor data, bool requires_grad = true)
        : base(data.requires_grad_(requires_grad).MoveHandle(), register: false) => data.OwningDisposeScope?.Replace(data, this);
}
