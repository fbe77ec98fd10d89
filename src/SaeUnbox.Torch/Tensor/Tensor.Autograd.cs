using TorchSharp.Interop;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        /// <summary>Whether operations on the tensor are recorded for a backward pass.</summary>
        public bool requires_grad
        {
            get => NativeMethods.shim_tensor_requires_grad(Native()) != 0;
            set => NativeMethods.Check(NativeMethods.shim_tensor_set_requires_grad(Native(), value ? 1 : 0), "requires_grad");
        }

        public Tensor requires_grad_(bool requires_grad = true)
        {
            this.requires_grad = requires_grad;
            return this;
        }

        public Tensor with_requires_grad(bool requires_grad = true) => requires_grad_(requires_grad);

        public bool is_leaf => NativeMethods.shim_tensor_is_leaf(Native()) != 0;

        /// <summary>The gradient gathered by backward passes, or null.</summary>
        public Tensor? grad
        {
            get
            {
                NativeMethods.Check(NativeMethods.shim_tensor_grad(Native(), out var gradient), "grad");
                return gradient == IntPtr.Zero ? null : new Tensor(gradient);
            }
            set => NativeMethods.Check(NativeMethods.shim_tensor_set_grad(Native(), value?.Native() ?? TensorHandle.None), "grad");
        }

        /// <summary>Adds the gradient of this scalar to every leaf it was made from.</summary>
        public void backward() => NativeMethods.Check(NativeMethods.shim_backward(Native(), TensorHandle.None, 0, 0), "backward", [this]);

        /// <summary>The same values, cut from the recorded graph.</summary>
        public Tensor detach() => Aten.detach.Call(this);

        public Tensor detach_() => Aten.detach_.CallInPlace(this);
    }

    /// <summary>Gradients without touching the leaves.</summary>
    public static partial class autograd
    {
        /// <summary>The gradients of the outputs' sum (weighted by <paramref name="grad_outputs"/>) with respect to the inputs.</summary>
        public static unsafe IList<Tensor> grad(
            IList<Tensor> outputs, IList<Tensor> inputs, IList<Tensor>? grad_outputs = null,
            bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            using var from = new Borrowed([.. outputs]);
            using var to = new Borrowed([.. inputs]);
            using var seeds = new Borrowed([.. grad_outputs ?? []]);
            var results = new IntPtr[inputs.Count];
            fixed (IntPtr* fromPointer = from.Pointers, toPointer = to.Pointers, resultPointer = results)
            fixed (IntPtr* seedPointer = grad_outputs is null ? null : seeds.Pointers)
                NativeMethods.Check(
                    NativeMethods.shim_autograd_grad(fromPointer, outputs.Count, toPointer, inputs.Count, seedPointer,
                        retain_graph ? 1 : 0, create_graph ? 1 : 0, allow_unused ? 1 : 0, resultPointer),
                    "autograd.grad", [.. outputs, .. inputs, .. grad_outputs ?? []]);
            return [.. results.Select(handle => handle == IntPtr.Zero ? null! : new Tensor(handle))];
        }
    }
}
