using System.Diagnostics;
using System.Globalization;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

/// <summary>Streams and exit codes of the program as a separate process.</summary>
public sealed class ProcessTests
{
    [Fact]
    public async Task Tokenize_ValidUse_PrintsOnlyResults()
    {
        var (code, output, error) = await RunAsync("tokenize", "@home", "--model", Goldens.At("model"), "--json");
        Assert.Equal((0, ""), (code, error));
        Assert.StartsWith("{", output);
    }

    [Fact]
    public async Task Generate_InvalidUse_ExitsNonZeroWithOneLine()
    {
        var (code, output, error) = await RunAsync("generate", "--model", Goldens.At("no such folder"), "--prompt", "x", "--out", "x.png");
        Assert.Equal((1, ""), (code, output));
        Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Theory]
    [InlineData("-TERM", 128 + 15)]
    [InlineData("-INT", 128 + 2)]
    public async Task Collect_SignalledTwice_StopsAndKeepsItsShards(string signal, int code)
    {
        using var folder = new TemporaryFolder();
        using var process = Start("collect", "--model", Goldens.At("model"), "--threads", "1", "--mini-captions", "100000", "--size",
            "64", "--shard", "1", "--out", folder.Path);
        var error = process.StandardError.ReadToEndAsync();
        while (!Directory.EnumerateFiles(folder.Path, "*.safetensors", SearchOption.AllDirectories).Any()
            && !process.HasExited)
            await Task.Delay(50);
        await KillAsync(signal, process);
        await KillAsync(signal, process);
        await process.WaitForExitAsync();
        Assert.Equal(
            [$"saeunbox: all finished items are in {folder.Path}; the same command continues.", "saeunbox: interrupted"],
            (await error).Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(code, process.ExitCode);
    }

    [Theory]
    [InlineData("-TERM", 128 + 15)]
    [InlineData("-INT", 128 + 2)]
    public async Task Generate_HangsAfterASignal_EndsSilentlyAtTheNext(string signal, int code)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such pipes");
        using var folder = new TemporaryFolder();
        using (var made = Process.Start("mkfifo", folder.At("pipe")))
            await made.WaitForExitAsync();
        using var process = Start("generate", "--model", Goldens.At("model"), "--recipe", folder.At("pipe"), "--out", folder.At("x.png"));
        var error = process.StandardError.ReadToEndAsync();
        await using var pipe =
            await Task.Run(() => new FileStream(folder.At("pipe"), FileMode.Open, FileAccess.Write)); // opens when the other side does
        await KillAsync(signal, process);
        Assert.False(process.WaitForExit(300));
        while (!process.HasExited)
        {
            await KillAsync(signal, process);
            await Task.Delay(100);
        }
        Assert.Equal((code, ""), (process.ExitCode, await error));
    }

    private static async Task KillAsync(string signal, Process process)
    {
        using var kill = Process.Start("kill", [signal, process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] words)
    {
        using var process = Start(words);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    private static Process Start(params string[] words)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath is { } dotnet && Path.GetFileNameWithoutExtension(dotnet) == "dotnet"
            ? dotnet
            : "dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var word in words.Prepend(typeof(CommandLine).Assembly.Location))
            start.ArgumentList.Add(word);
        return Process.Start(start)!;
    }
}
