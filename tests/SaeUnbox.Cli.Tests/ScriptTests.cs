using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

/// <summary>The scripts under deploy, with programs on PATH that only note how they were called.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class ScriptTests : IDisposable
{
    private static readonly string Deploy = Find();

    private readonly TemporaryFolder folder = new();

    public ScriptTests()
    {
        Directory.CreateDirectory(folder.At("bin"));
        foreach (var tool in (string[])["bash", "env", "grep", "sort", "tail", "cut", "realpath", "dirname"]) File.CreateSymbolicLink(folder.At("bin", tool), Path.Combine("/usr/bin", tool));
        foreach (var tool in (string[])["g++", "make", "cmake", "curl", "apt-cache"]) Program(tool, "exit 0");
        Program("dotnet", "echo '10.0.100 [/sdk]'");
        Program("id", "echo 0");
        Program("apt-get", $"echo \"$*\" >>'{folder.At("apt")}'");
        Program("dpkg-query", "echo installed");
    }

    [Fact]
    public async Task Setup_LibtorchNamed_InstallsTheRestWithoutDebiansLibtorch()
    {
        Program("dpkg-query", "exit 1");
        File.Delete(folder.At("bin", "cmake"));

        var (code, _, error) = await RunAsync("setup.sh", ("SAEUNBOX_LIBTORCH", Libtorch()));

        Assert.Equal((0, ""), (code, error));
        var installed = Installed();
        Assert.Contains("cmake", installed);
        Assert.DoesNotContain("libtorch-dev", installed);
        Assert.DoesNotContain("libopenblas0", installed);
    }

    [Fact]
    public async Task Setup_NothingNamed_InstallsDebiansLibtorch()
    {
        Program("dpkg-query", "exit 1");

        var (code, _, error) = await RunAsync("setup.sh");

        Assert.Equal((0, ""), (code, error));
        Assert.Contains("libtorch-dev", Installed());
        Assert.Contains("libopenblas0", Installed());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Setup_NothingMissing_CallsNoAptGet(bool there)
    {
        if (!there) File.Delete(folder.At("bin", "apt-get"));

        var (code, output, error) = await RunAsync("setup.sh", ("SAEUNBOX_LIBTORCH", Libtorch()));

        Assert.Equal((0, ""), (code, error));
        Assert.EndsWith("setup: all set\n", output);
        Assert.False(File.Exists(folder.At("apt")));
    }

    [Fact]
    public async Task Setup_MissingWithoutAptGet_NamesWhatIsMissing()
    {
        Program("dpkg-query", "exit 1");
        File.Delete(folder.At("bin", "apt-get"));
        File.Delete(folder.At("bin", "cmake"));

        var (code, _, error) = await RunAsync("setup.sh", ("SAEUNBOX_LIBTORCH", Libtorch()));

        Assert.Equal(1, code);
        Assert.Contains("there is no apt-get here: install cmake ", Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task Run_PortTaken_SaysSoBeforeAnythingIsBuilt(string address)
    {
        Assert.SkipUnless(Socket.OSSupportsIPv6 || address != "::1", "this system has no IPv6");
        using var other = new TcpListener(IPAddress.Parse(address), 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;

        var (code, output, error) = await RunAsync("run.sh", ("PORT", port.ToString(CultureInfo.InvariantCulture)));

        Assert.Equal((1, ""), (code, output));
        Assert.StartsWith($"run: port {port} is taken by another program; choose another: PORT=", Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("65536")]
    [InlineData("http")]
    public async Task Run_NoPort_SaysWhatIsExpected(string port)
    {
        var (code, output, error) = await RunAsync("run.sh", ("PORT", port));
        Assert.Equal((1, "", $"run: PORT={port}: a port from 1 to 65535 is expected\n"), (code, output, error));
    }

    public void Dispose() => folder.Dispose();

    private static string Find()
    {
        var above = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(above.FullName, "deploy", "setup.sh"))) above = above.Parent!;
        return Path.Combine(above.FullName, "deploy");
    }

    private string Libtorch()
    {
        var place = Directory.CreateDirectory(folder.At("libtorch", "share", "cmake", "Torch")).FullName;
        File.WriteAllText(Path.Combine(place, "TorchConfig.cmake"), "");
        return folder.At("libtorch");
    }

    private string[] Installed() => File.ReadAllLines(folder.At("apt")).Single(line => line.StartsWith("install ", StringComparison.Ordinal)).Split(' ');

    private void Program(string name, string body)
    {
        var path = folder.At("bin", name);
        File.WriteAllText(path, $"#!/usr/bin/env bash\n{body}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private async Task<(int Code, string Output, string Error)> RunAsync(string script, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Path.Combine(Deploy, script)) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Clear();
        start.Environment["PATH"] = folder.At("bin");
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
