using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using System.Text;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

/// <summary>Runs the shell sessions of the README.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class ReadmeTests
{
    private const string Prompt = "$ ", More = "...";

    [Fact]
    public async Task Sessions_OfTheReadme_PrintWhatItShows()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.At("deploy"));
        File.WriteAllText(folder.At("deploy", "saeunbox"), $"#!/bin/sh\nexec dotnet '{typeof(CommandLine).Assembly.Location}' \"$@\"\n");
        File.SetUnixFileMode(folder.At("deploy", "saeunbox"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.CreateSymbolicLink(folder.At("tests"), Path.Combine(Repository.Root, "tests"));

        var entries = Entries(File.ReadAllLines(Path.Combine(Repository.Root, "README.md")));
        Assert.NotEmpty(entries);
        // All sessions run in one shell, because later ones use the files of earlier ones.
        var mark = Guid.NewGuid().ToString("N");
        var script = new StringBuilder("exec 2>&1\n");
        foreach (var (command, _) in entries)
            script.Append(command).Append("\necho ").Append(mark).Append('\n');
        var said = (await RunAsync(folder.Path, script.ToString())).Split(mark + "\n");

        Assert.All(entries.Zip(said),
            entry => AssertShown(entry.First.Shown, entry.Second.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    private static List<(string Command, List<string> Shown)> Entries(string[] lines)
    {
        var entries = new List<(string Command, List<string> Shown)>();
        var (isSession, isCommand) = (false, false);
        foreach (var line in lines)
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
                isSession = line == "```console";
            else if (isSession && line.StartsWith(Prompt, StringComparison.Ordinal))
                entries.Add((line[Prompt.Length..], []));
            else if (isSession && isCommand)
                entries[^1] = ($"{entries[^1].Command}\n{line}", entries[^1].Shown);
            else if (isSession)
                entries[^1].Shown.Add(line);
            isCommand = isSession && line.EndsWith('\\');
        }
        return entries;
    }

    // In the README, "..." stands for output that is not shown.
    private static void AssertShown(List<string> shown, string[] printed)
    {
        if (shown is [.. var start, More])
            (shown, printed) = (start, printed[..Math.Min(start.Count, printed.Length)]);
        Assert.Equal(shown.Select(Words), printed.Select(Words),
            (one, other) => one.Length == other.Length && one.Zip(other).All(pair => Same(pair.First, pair.Second)));
    }

    private static string[] Words(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    // Processors differ in the last digits of sums.
    private static bool Same(string one, string other) => one == other
        || (double.TryParse(one, CultureInfo.InvariantCulture, out var a)
            && double.TryParse(other, CultureInfo.InvariantCulture, out var b)
            && Math.Abs(a - b) <= 1e-3 * Math.Abs(a));

    private static async Task<string> RunAsync(string folder, string script)
    {
        using var bash = Process.Start(new ProcessStartInfo("bash", ["-s"])
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true
        })!;
        await bash.StandardInput.WriteAsync(script);
        bash.StandardInput.Close();
        var output = await bash.StandardOutput.ReadToEndAsync();
        await bash.WaitForExitAsync();
        return output;
    }
}
