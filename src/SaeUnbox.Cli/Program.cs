using SaeUnbox.Cli;
using SaeUnbox.Cli.Output;

return await CommandLine.RunAsync(args, Terminal.OfProcess());
