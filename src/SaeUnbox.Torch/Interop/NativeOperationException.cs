using System.Runtime.InteropServices;

namespace TorchSharp.Interop;

/// <summary>An error raised inside libtorch: names the operation and, for an operator, the shapes of its tensors.</summary>
/// <remarks>Callers catch <see cref="ExternalException"/>, the type TorchSharp throws.</remarks>
internal sealed class NativeOperationException(string operation, string message)
    : ExternalException($"{operation}: {message.TrimEnd()}")
{
    /// <summary>The operator or function that failed, such as <c>aten::conv2d</c>.</summary>
    public string Operation { get; } = operation;
}
