using System.Text.Json;
using SaeUnbox.Cli.Output;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

/// <summary>Runs the command line in this process.</summary>
internal static class Saeunbox
{
    /// <summary>The golden model with its autoencoders, on one thread.</summary>
    public static string[] GoldenModel { get; } = ["--model", Goldens.At("model"), "--saes", Goldens.At("saes"), "--threads", "1"];

    public static async Task<Use> RunAsync(IEnumerable<string> words, CancellationToken cancellation = default)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync([.. words], new Terminal(output, error) { NoteInterval = TimeSpan.FromDays(1) },
            cancellation);
        return new Use(code, output.ToString(), error.ToString());
    }

    /// <summary>Runs a command that must succeed and write nothing to the error stream.</summary>
    public static async Task<Use> SucceedAsync(params string[] words)
    {
        var use = await RunAsync(words);
        Assert.Equal("", use.Error);
        Assert.Equal(0, use.Code);
        return use;
    }

    /// <summary>Runs a command that must fail with one line on the error stream and no output.</summary>
    public static async Task<string> FailAsync(params string[] words)
    {
        var use = await RunAsync(words);
        Assert.NotEqual(0, use.Code);
        Assert.Equal("", use.Output);
        var line = Assert.Single(use.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("saeunbox: ", line);
        Assert.DoesNotContain("unexpected error", line);
        return line;
    }
}

/// <summary>The result of a command.</summary>
internal sealed record Use(int Code, string Output, string Error)
{
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;
}
