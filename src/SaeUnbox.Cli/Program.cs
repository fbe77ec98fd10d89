using SaeUnbox.Cli;

Libtorch.Prepare();
// English, with a point in numbers, whatever language the machine is set to.
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
using var signals = new TerminationSignals();
var code = await CommandLine.RunAsync(args, Terminal.OfProcess(), signals.Cancellation);
return code == ExitCode.Interrupted ? signals.ExitCode ?? code : code;
