namespace SaeUnbox.Models;

/// <summary>
/// Counts, until disposed, the floating-point operations of this thread's products (linear layers, convolutions, attention): two
/// for a multiplication and its addition. What lies between the products is not counted.
/// </summary>
public sealed class OperationCount : IDisposable
{
    [ThreadStatic]
    private static OperationCount? current;

    private readonly OperationCount? outer = current;

    public OperationCount() => current = this;

    /// <summary>Operations so far.</summary>
    public long Total { get; private set; }

    internal static OperationCount? Current => current;

    internal void Add(long operations) => Total += operations;

    public void Dispose() => current = outer;
}
