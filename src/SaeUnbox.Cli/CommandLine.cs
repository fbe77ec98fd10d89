using SaeUnbox.Cli.Commands;

namespace SaeUnbox.Cli;

/// <summary>The whole command line: what <c>saeunbox</c> does with its words, wherever the output goes.</summary>
internal static class CommandLine
{
    // No response files and no bundles: a prompt may begin with @, a strength with a dash.
    private static readonly ParserConfiguration Words = new() { ResponseFileTokenReplacer = null, EnablePosixBundling = false };

    public static RootCommand Create(Terminal terminal) =>
        new("Look inside a text-to-image model with sparse autoencoders, and steer it.")
        {
            GenerateCommand.Create(terminal),
            ExploreCommand.Create(terminal),
            IconCommand.Create(terminal),
            InspectCommand.Create(terminal),
            ConvertCommand.Create(terminal),
            TokenizeCommand.Create(terminal),
            DownloadCommand.Create(terminal),
            BenchCommand.Create(terminal),
            TrainMiniCommand.Create(terminal),
            CollectCommand.Create(terminal),
            TrainSaeCommand.Create(terminal),
            StatisticsCommand.Create(terminal),
            AtlasCommand.Create(terminal),
            SearchCommand.Create(terminal),
            ConceptCommand.Create(terminal),
            StepsCommand.Create(terminal),
            EvaluateCommand.Create(terminal),
            EvaluateMiniCommand.Create(terminal),
            SimulateCommand.Create(terminal),
            McpCommand.Create(terminal),
            HealthCommand.Create(terminal),
            BrokerCommand.Create(terminal),
        };

    /// <summary>Runs one command; whatever goes wrong is one line on the error stream.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> words, Terminal terminal, CancellationToken cancellation = default)
    {
        try
        {
            var parsed = Create(terminal).Parse(words, Words);
            return Guard.ReportSyntaxError(parsed, terminal) ?? await parsed.InvokeAsync(
                new()
                {
                    Output = terminal.Output,
                    Error = terminal.Error,
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = null
                },
                cancellation);
        }
        catch (IOException error)
        {
            return Guard.Report(terminal, error.Message, ExitCode.Failure);
        }
    }
}

/// <summary>A wrong use of the command line: one sentence for its user.</summary>
public sealed class CliException(string message) : Exception(message);
