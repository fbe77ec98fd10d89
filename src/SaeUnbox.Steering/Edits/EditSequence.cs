using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>Edits of one block in order: each sees the output of those before it, and all the same input.</summary>
internal sealed class EditSequence(IReadOnlyList<BlockEdit> edits) : BlockEdit
{
    public override Tensor Apply(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var result = output.alias();
        foreach (var edit in edits)
            result = edit.Apply(input, result);
        return result.MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing)
    {
        foreach (var edit in edits)
            edit.Dispose();
    }
}
