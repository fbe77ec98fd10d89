using System.CommandLine;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Tests;

public sealed class GuardTests
{
    [Fact]
    public async Task Runs_FailureOfWorkThatThreadsShare_IsToldAsTheFailureItself()
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var command = new RootCommand();
        command.Runs(new Terminal(output, error), (_, _) => { Parallel.For(0, 4, _ => throw new CliException("there is no room")); });

        Assert.Equal(ExitCode.Failure, await command.Parse([]).InvokeAsync());
        Assert.Equal("saeunbox: there is no room", error.ToString().Trim());
    }
}
