using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

/// <summary>The scripts in deploy and tests, with fake programs on PATH that record their arguments.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class ScriptTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public ScriptTests()
    {
        Directory.CreateDirectory(_folder.At("bin"));
        foreach (var tool in (string[])["bash", "env", "grep", "dirname", "readlink"])
            File.CreateSymbolicLink(_folder.At("bin", tool), Path.Combine("/usr/bin", tool));
        Program("dotnet", $"echo '10.0.100 [/sdk]'; [ \"$1\" != run ] || printf '<%s>' \"$@\" >'{_folder.At("dotnet")}'");
        Program("id", "echo 0");
        Program("apt-get", $"echo \"$*\" >>'{_folder.At("apt")}'");
        Program("dpkg-query", "echo installed");
        Program("nginx", "");
        Program("caddy", "");
    }

    [Fact]
    public async Task Setup_SomethingMissing_InstallsOnlyThat()
    {
        Program("dpkg-query", "[[ \"$*\" == *chromium* ]] || echo installed");

        var (code, output, error) = await RunAsync("tests/setup.sh");

        Assert.Equal((0, "setup: installing: chromium\nsetup: all set\n", ""), (code, output, error));
        Assert.EndsWith(" chromium",
            File.ReadAllLines(_folder.At("apt")).Single(line => line.StartsWith("install ", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Setup_NothingMissing_CallsNoAptGet(bool there)
    {
        if (!there)
            File.Delete(_folder.At("bin", "apt-get"));

        var (code, output, error) = await RunAsync("tests/setup.sh");

        Assert.Equal((0, "setup: all set\n", ""), (code, output, error));
        Assert.False(File.Exists(_folder.At("apt")));
    }

    [Fact]
    public async Task Setup_ProxyThatCannotBeInstalled_GoesOnWithoutIt()
    {
        File.Delete(_folder.At("bin", "caddy"));
        Program("apt-get", "exit 1");

        var (code, output, _) = await RunAsync("tests/setup.sh");

        Assert.Equal((0, "setup: installing: caddy\nsetup: caddy cannot be installed; the tests of it are skipped\nsetup: all set\n"),
            (code, output));
    }

    [Fact]
    public async Task Setup_MissingWithoutAptGet_NamesWhatIsMissing()
    {
        Program("dpkg-query", "exit 1");
        File.Delete(_folder.At("bin", "apt-get"));

        var (code, _, error) = await RunAsync("tests/setup.sh");

        Assert.Equal(
            (1, "setup: there is no apt-get here: install chromium fonts-dejavu-core postgresql python3-numpy rabbitmq-server by hand, "
                + "then run this again\n"), (code, error));
    }

    [Fact]
    public async Task Sdk_Suitable_PrintsNothing() => Assert.Equal((0, "", ""), await RunAsync("deploy/sdk.sh"));

    [Fact]
    public async Task Sdk_NoDotnet_SaysHowToGetIt()
    {
        File.Delete(_folder.At("bin", "dotnet"));

        var (code, _, error) = await RunAsync("deploy/sdk.sh");

        Assert.Equal(1, code);
        Assert.StartsWith("sdk: the .NET 10 SDK is missing. Get it with\n  curl ", error);
    }

    [Theory]
    [InlineData("echo '9.0.300 [/sdk]'", "no .NET 10 SDK")]
    [InlineData("[ \"$1\" = --list-sdks ] && echo '10.0.100 [/sdk]' || { echo \"Couldn't find a valid ICU package\"; exit 134; }",
        "apt-get install '^libicu[0-9]+$'")]
    [InlineData("[ \"$1\" = --list-sdks ] && echo '10.0.100 [/sdk]' || { echo 'no memory'; exit 1; }", "does not start: no memory")]
    public async Task Sdk_Unsuitable_SaysWhyInOneLine(string dotnet, string reason)
    {
        Program("dotnet", dotnet);

        var (code, _, error) = await RunAsync("deploy/sdk.sh");

        Assert.Equal(1, code);
        Assert.Contains(reason, Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    [Fact]
    public async Task Run_ValidOptions_PassesThemUnchanged()
    {
        var (code, _, error) = await RunAsync("deploy/run.sh", ["--model", _folder.Path, "--prompt of mine"], ("PORT", "6123"));

        Assert.Equal((0, ""), (code, error));
        Assert.EndsWith(
            $"/src/SaeUnbox.Web><--configuration><Release><--><--urls><http://localhost:6123><--model><{_folder.Path}><--prompt of mine>",
            File.ReadAllText(_folder.At("dotnet")));
    }

    [Theory]
    [InlineData("run: after --model a folder is expected", "--model")]
    [InlineData("run: --saes /no/such: there is no such folder", "--saes", "/no/such")]
    public async Task Run_NoFolder_SaysSoBeforeBuilding(string mistake, params string[] options)
    {
        var (code, output, error) = await RunAsync("deploy/run.sh", options);

        Assert.Equal((1, "", mistake + "\n"), (code, output, error));
        Assert.False(File.Exists(_folder.At("dotnet")));
    }

    [Fact]
    public async Task Saeunbox_NotBuilt_SaysHowToBuildIt()
    {
        Directory.CreateDirectory(_folder.At("deploy"));
        File.Copy(Path.Combine(Repository.Root, "deploy", "saeunbox"), _folder.At("deploy", "saeunbox"));

        var (code, _, error) = await RunAsync(_folder.At("deploy", "saeunbox"));

        Assert.Equal((1, "saeunbox: not built yet; run dotnet build src/SaeUnbox.Cli -c Release\n"), (code, error));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task Run_PortTaken_SaysSoBeforeBuilding(string address)
    {
        Assert.SkipUnless(Socket.OSSupportsIPv6 || address != "::1", "this system has no IPv6");
        using var other = new TcpListener(IPAddress.Parse(address), 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;

        var (code, output, error) = await RunAsync("deploy/run.sh", ("PORT", port.ToString(CultureInfo.InvariantCulture)));

        Assert.Equal((1, ""), (code, output));
        Assert.StartsWith($"run: port {port} is taken by another program; choose another: PORT=",
            Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("65536")]
    [InlineData("http")]
    public async Task Run_NoPort_SaysWhatIsExpected(string port)
    {
        var (code, output, error) = await RunAsync("deploy/run.sh", ("PORT", port));
        Assert.Equal((1, "", $"run: PORT={port}: a port from 1 to 65535 is expected\n"), (code, output, error));
    }

    public void Dispose() => _folder.Dispose();

    private void Program(string name, string body)
    {
        var path = _folder.At("bin", name);
        File.WriteAllText(path, $"#!/usr/bin/env bash\n{body}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private Task<(int Code, string Output, string Error)> RunAsync(string script,
        params (string Name, string Value)[] environment) => RunAsync(script, [], environment);

    private async Task<(int Code, string Output, string Error)> RunAsync(string script, string[] options,
        params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Path.Combine(Repository.Root, script), options)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true
        };
        start.Environment.Clear();
        start.Environment["PATH"] = _folder.At("bin");
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
