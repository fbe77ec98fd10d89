using System.CommandLine;
using SaeUnbox.Cli.Commands;
using SaeUnbox.Cli.Output;

var root = new RootCommand("Look inside a text-to-image model with sparse autoencoders, and steer it.")
{
    GenerateCommand.Create(),
    ExploreCommand.Create(),
    IconCommand.Create(),
    InspectCommand.Create(),
    TokenizeCommand.Create(),
    DownloadCommand.Create(),
    BenchCommand.Create(),
    TrainMiniCommand.Create(),
};
var parsed = root.Parse(args);
// Interrupted training saves its state first.
return Guard.Refuses(parsed) ?? await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(5) });
