namespace SaeUnbox.Contracts;

/// <summary>Whether pictures can be made.</summary>
public interface IServingState
{
    /// <summary>All models are loaded, and the process is not about to stop.</summary>
    bool IsReady { get; }

    bool IsStopping { get; }

    /// <summary>Why pictures cannot be made; null where all is well.</summary>
    string? Failure { get; }

    /// <summary>A device worked and then broke: only a new start of the program helps.</summary>
    bool IsBroken => false;

    /// <summary>Ends when loading has, well or not.</summary>
    Task Loaded { get; }
}
