namespace SaeUnbox.Serving;

/// <summary>Whether pictures can be made.</summary>
public interface IServingState
{
    /// <summary>All models are loaded, and the process is not about to stop.</summary>
    bool IsReady { get; }

    /// <summary>Visitors may be sent here: all that this process needs of others can be reached, though pictures may still wait for what it tells of as <see cref="Missing"/>.</summary>
    bool TakesVisitors => IsReady;

    bool IsStopping { get; }

    /// <summary>Why pictures cannot be made; null where all is well.</summary>
    string? Failure { get; }

    /// <summary>A device worked and then broke: only a new start of the program helps.</summary>
    bool IsBroken => false;

    /// <summary>What pictures wait for beside models that load, in a sentence; null for nothing.</summary>
    string? Missing => null;

    /// <summary>Ends when loading has, well or not.</summary>
    Task Loaded { get; }
}
