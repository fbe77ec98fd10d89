using System.Diagnostics;
using System.Runtime.InteropServices;

namespace SaeUnbox.Cli.Output;

/// <summary>
/// SIGINT and SIGTERM of this process: the first asks the command to stop, so that it can save and tidy up; a later one
/// ends the process as the system does it, without a word.
/// </summary>
internal sealed class TerminationSignals : IDisposable
{
    private const int ShellsOffset = 128;

    // Terminals and timeout(1) signal a process and then its group: two signals, one wish.
    private static readonly TimeSpan OneWish = TimeSpan.FromMilliseconds(500);

    private static readonly (PosixSignal Signal, int Number)[] Known = [(PosixSignal.SIGINT, 2), (PosixSignal.SIGTERM, 15)];

    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration[] registrations;
    private readonly Lock gate = new();
    private long first;
    private int number;

    public TerminationSignals() => registrations = [.. Known.Select(known => PosixSignalRegistration.Create(known.Signal, context => context.Cancel = Take(known.Number)))];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Cancellation => source.Token;

    /// <summary>What shells expect of a command that a signal stopped: 128 and the signal's number; null where none came.</summary>
    public int? ExitCode => number == 0 ? null : ShellsOffset + number;

    public void Dispose()
    {
        foreach (var registration in registrations) registration.Dispose();
        source.Dispose();
    }

    // Whether the process lives on.
    private bool Take(int signal)
    {
        lock (gate)
        {
            if (number != 0) return Stopwatch.GetElapsedTime(first) < OneWish;
            (number, first) = (signal, Stopwatch.GetTimestamp());
        }
        _ = source.CancelAsync();
        return true;
    }
}
