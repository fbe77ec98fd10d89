using System.Diagnostics;
using System.Runtime.InteropServices;

namespace SaeUnbox.Cli.Output;

/// <summary>
/// Handles SIGINT and SIGTERM: the first signal asks the command to stop, so that it can save and clean up; a later one ends the process
/// at once.
/// </summary>
internal sealed class TerminationSignals : IDisposable
{
    private const int SignalOffset = 128;

    // Terminals and timeout(1) signal a process and then its group, so two signals in quick succession count as one.
    private static readonly TimeSpan DoubleSignal = TimeSpan.FromMilliseconds(500);

    private static readonly (PosixSignal Signal, int Number)[] Known = [(PosixSignal.SIGINT, 2), (PosixSignal.SIGTERM, 15)];

    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration[] registrations;
    private readonly Lock gate = new();
    private long first;
    private int number;

    public TerminationSignals() => registrations = [.. Known.Select(known => PosixSignalRegistration.Create(known.Signal, context => context.Cancel = Handle(known.Number)))];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Cancellation => source.Token;

    /// <summary>128 + the number of the signal, the convention of shells; null without a signal.</summary>
    public int? ExitCode => number == 0 ? null : SignalOffset + number;

    public void Dispose()
    {
        foreach (var registration in registrations) registration.Dispose();
        source.Dispose();
    }

    // Returns whether the process continues.
    private bool Handle(int signal)
    {
        lock (gate)
        {
            if (number != 0) return Stopwatch.GetElapsedTime(first) < DoubleSignal;
            (number, first) = (signal, Stopwatch.GetTimestamp());
        }
        _ = source.CancelAsync();
        return true;
    }
}
