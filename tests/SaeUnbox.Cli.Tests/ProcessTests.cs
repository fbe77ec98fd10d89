using System.Diagnostics;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

/// <summary>The program as a user starts it: its streams and exit codes.</summary>
public sealed class ProcessTests
{
    [Fact]
    public async Task Tokenize_GoodUse_PrintsOnlyResults()
    {
        var (code, output, error) = await RunAsync("tokenize", "@home", "--model", Goldens.At("model"), "--json");
        Assert.Equal((0, ""), (code, error));
        Assert.StartsWith("{", output);
    }

    [Fact]
    public async Task Generate_BadUse_ExitsNonZeroWithOneLine()
    {
        var (code, output, error) = await RunAsync("generate", "--model", Goldens.At("no such folder"), "--prompt", "x", "--out", "x.png");
        Assert.Equal((1, ""), (code, output));
        Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] words)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath is { } dotnet && Path.GetFileNameWithoutExtension(dotnet) == "dotnet" ? dotnet : "dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var word in words.Prepend(typeof(CommandLine).Assembly.Location)) start.ArgumentList.Add(word);
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
