using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>Adds a fixed tensor D to the block's output, or to its input (an icon: the block shows nothing but the feature).</summary>
internal sealed class DeltaEdit : BlockEdit
{
    private readonly bool _ontoInput;
    private readonly Guidance _guidance;
    private readonly Tensor _delta;
    private Tensor? _cast;

    /// <param name="delta">D, [1, d, h, w] or [1, d, 1, 1] float32; owned from now on.</param>
    /// <param name="guidance">What happens to the halves of the batch.</param>
    /// <param name="ontoInput">Whether the block's input takes the place of its output.</param>
    public DeltaEdit(Tensor delta, Guidance guidance, bool ontoInput)
    {
        _delta = delta.DetachFromDisposeScope();
        _guidance = guidance;
        _ontoInput = ontoInput;
    }

    /// <summary>One edit for two that follow each other, where sums are all they do; null where they differ in kind.</summary>
    public static DeltaEdit? Merge(DeltaEdit first, DeltaEdit second)
    {
        if (first._guidance != second._guidance || first._ontoInput || second._ontoInput)
            return null;
        using var scope = NewDisposeScope();
        return new DeltaEdit(first._delta.Plus(second._delta), first._guidance, ontoInput: false);
    }

    public override Tensor Apply(Tensor input, Tensor output)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        if (_delta.shape[1] != output.shape[1])
            throw new SaeException($"The feature's direction has {_delta.shape[1]} channels, the block has {output.shape[1]}.");
        if (_delta.shape[2] > 1 || _delta.shape[3] > 1)
            RequireGrid(_delta, output);
        var start = _ontoInput ? input : output;
        var delta = Like(start);
        return (_guidance == Guidance.None ? start.Plus(delta) : Guided(start, delta)).MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing)
    {
        _delta.Dispose();
        _cast?.Dispose();
    }

    private Tensor Guided(Tensor start, Tensor delta)
    {
        if (start.shape[0] % 2 != 0)
            throw new SaeException($"Guidance needs a batch of two halves, this one holds {start.shape[0]}.");
        var half = start.shape[0] / 2;
        var unconditional = start.narrow(0, 0, half);
        return cat(
            [
                _guidance == Guidance.Contrast ? unconditional - delta : unconditional,
                start.narrow(0, half, half).Plus(delta),
            ],
            0);
    }

    // Kept in the block's type, so that every later step only adds.
    private Tensor Like(Tensor start)
    {
        if (_cast is null || _cast.dtype != start.dtype
            || _cast.device_type != start.device_type || _cast.device_index != start.device_index)
        {
            _cast?.Dispose();
            _cast = _delta.to(start.device).to(start.dtype).alias().DetachFromDisposeScope();
        }

        return _cast;
    }
}
