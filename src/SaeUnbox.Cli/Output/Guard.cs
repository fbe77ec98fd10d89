using System.CommandLine.Invocation;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace SaeUnbox.Cli.Output;

/// <summary>Turns every error of a command into one line on the error stream and a nonzero exit code.</summary>
internal static partial class Guard
{
    private const string DebugVariable = "SAEUNBOX_DEBUG";

    /// <summary>Reports a syntax error of the command line in one line.</summary>
    /// <returns>The exit code; null if there is no error.</returns>
    public static int? ReportSyntaxError(ParseResult parsed, Terminal terminal)
    {
        if (parsed.Errors.Count == 0 || parsed.Action is not ParseErrorAction)
            return null;
        var command = parsed.CommandResult.Command;
        var (name, problem) = command is RootCommand
            ? ("saeunbox", parsed.UnmatchedTokens is [var unknown, ..]
                ? $"there is no command '{Line.Quote(unknown)}'"
                : "a command is missing")
            : ($"saeunbox {command.Name}", Plain(parsed.Errors[0].Message));
        return Report(terminal, $"{problem} ({name} --help lists what is possible)", ExitCode.Failure);
    }

    /// <summary>A command whose errors are reported in one line.</summary>
    /// <param name="words">Its arguments and options, in the order of the help text.</param>
    public static Command NewCommand(this Terminal terminal, string name, string description, IEnumerable<Symbol> words,
        Func<ParseResult, CancellationToken, Task> body)
    {
        var command = new Command(name, description);
        foreach (var option in words.OfType<Option>())
            command.Add(NumericOptions.UseIn(option));
        foreach (var argument in words.OfType<Argument>())
            command.Add(argument);
        command.SetAction(async (parsed, cancellation) =>
        {
            try
            {
                await body(parsed, cancellation);
                return ExitCode.Success;
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                return Report(terminal, "interrupted", ExitCode.Interrupted);
            }
            catch (Exception error)
            {
                if (Environment.GetEnvironmentVariable(DebugVariable) is { Length: > 0 })
                    terminal.Error.WriteLine(error);
                return Report(terminal, Sentence(error), ExitCode.Failure);
            }
        });
        return command;
    }

    /// <inheritdoc cref="NewCommand(Terminal, string, string, IEnumerable{Symbol}, Func{ParseResult, CancellationToken, Task})"/>
    public static Command NewCommand(this Terminal terminal, string name, string description, IEnumerable<Symbol> words,
        Action<ParseResult, CancellationToken> body) =>
        terminal.NewCommand(name, description, words, (parsed, cancellation) =>
        {
            body(parsed, cancellation);
            return Task.CompletedTask;
        });

    public static int Report(Terminal terminal, string message, int code)
    {
        terminal.Note(message);
        return code;
    }

    /// <summary>What to tell about an error, in one sentence.</summary>
    public static string Sentence(Exception error) => error switch
    {
        CliException or ModelException or CheckpointException or SaeException or RecipeException or PictureException or AtlasException
            or LibtorchException => error.Message,
        IOException or UnauthorizedAccessException or HttpRequestException => error.Message,
        // The first failure of work that runs on several threads.
        AggregateException { InnerExceptions: [var first, ..] } => Sentence(first),
        OutOfMemoryException => "there is not enough memory for this; try a smaller picture, bf16, or fewer other programs",
        ExternalException failure => LibtorchError.Describe(failure),
        _ => $"an unexpected error: {error.GetType().Name}: {error.Message} (set {DebugVariable}=1 to see where)",
    };

    // The parser quotes arguments at full length and names .NET types. This shortens them and uses plain terms.
    private static string Plain(string message) =>
        TypeName().Replace(Quoted().Replace(message, match => $"'{Line.Quote(match.Groups[1].Value)}'"),
            match => match.Value.Contains("Boolean", StringComparison.Ordinal) ? "true or false" : "a text")
            .TrimEnd('.');

    [GeneratedRegex("expected type '[^']*'", RegexOptions.CultureInvariant)]
    private static partial Regex TypeName();

    [GeneratedRegex("'([^']*)'", RegexOptions.CultureInvariant)]
    private static partial Regex Quoted();
}

internal static class ExitCode
{
    public const int Success = 0;
    public const int Failure = 1;

    /// <summary>Interrupted by the user: 128 + SIGINT, the convention of shells.</summary>
    public const int Interrupted = 130;
}

/// <summary>
/// Handles SIGINT and SIGTERM: the first signal asks the command to stop, so that it can save and clean up; a later one ends the process
/// at once.
/// </summary>
internal sealed class TerminationSignals : IDisposable
{
    private const int SignalOffset = 128;

    // Terminals and timeout(1) signal a process and then its group, so two signals in quick succession count as one.
    private static readonly TimeSpan DoubleSignal = TimeSpan.FromMilliseconds(500);

    private static readonly (PosixSignal Signal, int Number)[] Known = [(PosixSignal.SIGINT, 2), (PosixSignal.SIGTERM, 15)];

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Lock _gate = new();
    private long _first;
    private int _number;

    public TerminationSignals() =>
        _registrations = [.. Known.Select(known => PosixSignalRegistration.Create(known.Signal,
            context => context.Cancel = Handle(known.Number)))];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Cancellation => _source.Token;

    /// <summary>128 + the number of the signal, the convention of shells; null without a signal.</summary>
    public int? ExitCode => _number == 0 ? null : SignalOffset + _number;

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
        _source.Dispose();
    }

    // Returns whether the process continues.
    private bool Handle(int signal)
    {
        lock (_gate)
        {
            if (_number != 0)
                return Stopwatch.GetElapsedTime(_first) < DoubleSignal;
            (_number, _first) = (signal, Stopwatch.GetTimestamp());
        }
        _ = _source.CancelAsync();
        return true;
    }
}
