using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>What a forward pass with captures gives.</summary>
public sealed class UNetRun : IDisposable
{
    internal UNetRun(Tensor? output, IReadOnlyDictionary<string, UNetState> states)
    {
        Output = output;
        States = states;
    }

    /// <summary>The prediction, [B, out, H, W]; null where the walk stopped after the last captured site.</summary>
    public Tensor? Output { get; }

    /// <summary>The captured states by site code.</summary>
    public IReadOnlyDictionary<string, UNetState> States { get; }

    public void Dispose()
    {
        Output?.Dispose();
        foreach (var state in States.Values)
        {
            state.Dispose();
        }
    }
}
