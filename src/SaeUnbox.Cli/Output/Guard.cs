using System.CommandLine;
using System.CommandLine.Invocation;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using SaeUnbox.Checkpoints;
using SaeUnbox.Contracts;
using SaeUnbox.Diffusion;
using SaeUnbox.Pictures;
using SaeUnbox.Sae;

namespace SaeUnbox.Cli.Output;

/// <summary>Runs a command's body; whatever goes wrong becomes one line on the error stream and a non-zero exit.</summary>
internal static partial class Guard
{
    private const string DebugVariable = "SAEUNBOX_DEBUG";

    /// <summary>The exit code where the words themselves are wrong, reported in one line; null where they can be run.</summary>
    public static int? Refuses(ParseResult parsed)
    {
        if (parsed.Errors.Count == 0 || parsed.Action is not ParseErrorAction) return null;
        var command = parsed.CommandResult.Command;
        return Report($"{Plain(parsed.Errors[0].Message)} ({(command is RootCommand ? "saeunbox" : $"saeunbox {command.Name}")} --help shows what can be given)", ExitCode.Failure);
    }

    public static void Runs(this Command command, Func<ParseResult, CancellationToken, Task> body) =>
        command.SetAction(async (parsed, cancellation) =>
        {
            try
            {
                await body(parsed, cancellation);
                return ExitCode.Success;
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                return Report("interrupted; nothing was written", ExitCode.Interrupted);
            }
            catch (Exception error)
            {
                if (Environment.GetEnvironmentVariable(DebugVariable) is { Length: > 0 }) await Console.Error.WriteLineAsync(error.ToString());
                return Report(Sentence(error), ExitCode.Failure);
            }
        });

    public static void Runs(this Command command, Action<ParseResult, CancellationToken> body) =>
        command.Runs((parsed, cancellation) =>
        {
            body(parsed, cancellation);
            return Task.CompletedTask;
        });

    private static string Sentence(Exception error) => error switch
    {
        CliException or ModelException or CheckpointException or SaeException or RecipeException or PictureException => error.Message,
        IOException or UnauthorizedAccessException or HttpRequestException => error.Message,
        OutOfMemoryException => "there is not enough memory for this; try a smaller picture, bf16, or fewer other programs",
        ExternalException => $"libtorch failed: {error.Message}",
        _ => $"an unexpected error: {error.GetType().Name}: {error.Message} (set {DebugVariable}=1 for where it happened)",
    };

    // The parser speaks of .NET types; a user of the command line does not.
    private static string Plain(string message) => TypeName().Replace(message, match => match.Value switch
    {
        var name when name.Contains("Int32", StringComparison.Ordinal) => $"a whole number up to {int.MaxValue}",
        var name when name.Contains("Int64", StringComparison.Ordinal) => $"a whole number up to {long.MaxValue}",
        var name when name.Contains("Double", StringComparison.Ordinal) => "a number",
        _ => "a text",
    }).TrimEnd('.');

    [GeneratedRegex(@"expected type '[^']*'", RegexOptions.CultureInvariant)]
    private static partial Regex TypeName();

    private static int Report(string message, int code)
    {
        Console.Error.WriteLine($"saeunbox: {message.ReplaceLineEndings(" ")}");
        return code;
    }
}
