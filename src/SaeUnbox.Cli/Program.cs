using SaeUnbox.Cli;
using SaeUnbox.Cli.Output;
using SaeUnbox.Torch;

Libtorch.Prepare();
using var signals = new TerminationSignals();
var code = await CommandLine.RunAsync(args, Terminal.OfProcess(), signals.Cancellation);
return code == ExitCode.Interrupted ? signals.ExitCode ?? code : code;
