namespace SaeUnbox.Cli;

/// <summary>A wrong use of the command line: one sentence for its user.</summary>
public sealed class CliException(string message) : Exception(message);
