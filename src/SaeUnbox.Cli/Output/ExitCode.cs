namespace SaeUnbox.Cli.Output;

/// <summary>What the process returns.</summary>
internal static class ExitCode
{
    public const int Success = 0;
    public const int Failure = 1;

    /// <summary>Interrupted by the user: 128 + SIGINT, as shells expect.</summary>
    public const int Interrupted = 130;
}
