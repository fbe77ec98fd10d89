namespace SaeUnbox.Steering;

/// <summary>What is wanted of a run beside its picture.</summary>
public sealed record RunRequest
{
    /// <summary>Sites whose activations are read, in every step.</summary>
    public IReadOnlyList<HookSite> Read { get; init; } = [];

    /// <summary>False where only activations are wanted: nothing is decoded.</summary>
    public bool Picture { get; init; } = true;

    /// <summary>Gets the tensors of the run.</summary>
    public RunRecorder? Recorder { get; init; }

    /// <summary>Told of every step done: its number from 1, and how many there are.</summary>
    public Action<int, int>? Progress { get; init; }
}

/// <summary>What a run gave.</summary>
/// <param name="Picture">The picture; null where none was wanted.</param>
/// <param name="Maps">The activations asked for, after the edits that act before each site.</param>
/// <param name="Timings">How long each stage took, in their order.</param>
public sealed record RunOutcome(Picture? Picture, ActivationMaps Maps, IReadOnlyList<StageTiming> Timings);
