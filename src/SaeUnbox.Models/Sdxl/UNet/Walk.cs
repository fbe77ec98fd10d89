using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// What the stages pass on: the hidden picture, the skip connections still to be used, the time embedding. Every holder owns a
/// handle of its own (an alias shares the memory), so a copy of the walk costs no memory and outlives it; no stage writes into a
/// tensor that a walk holds.
/// </summary>
internal sealed class Walk : IDisposable
{
    private readonly Stack<Tensor> _skips;

    private Walk(Tensor hidden, IEnumerable<Tensor> skips, Tensor time, UNetConditioning conditioning)
    {
        Hidden = hidden;
        _skips = new Stack<Tensor>(skips);
        Time = time;
        Conditioning = conditioning;
    }

    public Tensor Hidden { get; private set; }

    /// <summary>silu of the time embedding, [B, time channels].</summary>
    public Tensor Time { get; }

    public UNetConditioning Conditioning { get; }

    /// <summary>The skip connection that is used next.</summary>
    public Tensor NextSkip => _skips.Peek();

    public static Walk Start(Tensor sample, Tensor time, UNetConditioning conditioning) =>
        new(Own(sample), [], Own(time), conditioning);

    public Walk Copy() => new(Own(Hidden), _skips.Reverse().Select(Own), Own(Time), Conditioning);

    /// <summary>Takes over an owned handle, the stage's result, and keeps the skip connections in step.</summary>
    public void Advance(Stage stage, Tensor result)
    {
        Hidden.Dispose();
        Hidden = result;
        if (stage.DropsSkip)
        {
            _skips.Pop().Dispose();
        }

        if (stage.PushesSkip)
        {
            _skips.Push(Own(Hidden));
        }
    }

    public void Dispose()
    {
        Hidden.Dispose();
        Time.Dispose();
        foreach (var skip in _skips)
        {
            skip.Dispose();
        }
    }

    /// <summary>Runs a computation in a dispose scope of its own; the result is an owned handle.</summary>
    public static Tensor Compute(Func<Tensor> computation)
    {
        using var scope = NewDisposeScope();
        return computation().DetachFromDisposeScope();
    }

    public static Tensor Own(Tensor tensor) => tensor.alias().DetachFromDisposeScope();
}
