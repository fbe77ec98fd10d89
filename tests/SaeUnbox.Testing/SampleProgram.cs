using System.Diagnostics;
using Xunit;

namespace SaeUnbox.Testing;

/// <summary>A program of samples/, run as a reader runs it.</summary>
public static class SampleProgram
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>Runs it to its end, which must be a good one; returns the lines it printed.</summary>
    public static async Task<string[]> RunAsync(string name, params string[] arguments)
    {
        var configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        var program = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, $"../../SaeUnbox.Samples.{name}", configuration,
            $"SaeUnbox.Samples.{name}.dll"));
        return await RunAsync(new ProcessStartInfo("dotnet", [program, .. arguments]));
    }

    /// <summary>Runs a program to its end, which must be a good one; returns the lines it printed.</summary>
    public static async Task<string[]> RunAsync(ProcessStartInfo start)
    {
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        using var process = Process.Start(start)!;
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            var (output, error) =
                (process.StandardOutput.ReadToEndAsync(patience.Token), process.StandardError.ReadToEndAsync(patience.Token));
            await process.WaitForExitAsync(patience.Token);
            Assert.True(process.ExitCode == 0,
                $"{start.FileName} {string.Join(' ', start.ArgumentList)} ended with {process.ExitCode}:\n{await output}{await error}");
            return (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }
}
