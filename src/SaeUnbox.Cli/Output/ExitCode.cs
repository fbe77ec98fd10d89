namespace SaeUnbox.Cli.Output;

internal static class ExitCode
{
    public const int Success = 0;
    public const int Failure = 1;

    /// <summary>Interrupted by the user: 128 + SIGINT, the convention of shells.</summary>
    public const int Interrupted = 130;
}
