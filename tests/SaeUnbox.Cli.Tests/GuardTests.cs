using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Tests;

public sealed class GuardTests
{
    [Fact]
    public async Task NewCommand_FailureOnSeveralThreads_ReportsTheFirstFailure()
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var command = new Terminal(output, error).NewCommand("work", "Works.", [],
            (_, _) => { Parallel.For(0, 4, _ => throw new CliException("there is no room")); });

        Assert.Equal(ExitCode.Failure, await command.Parse([]).InvokeAsync());
        Assert.Equal("saeunbox: there is no room", error.ToString().Trim());
    }
}
