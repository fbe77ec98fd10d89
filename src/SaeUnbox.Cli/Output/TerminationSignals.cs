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

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Lock _gate = new();
    private long _first;
    private int _number;

    public TerminationSignals() =>
        _registrations = [.. Known.Select(known => PosixSignalRegistration.Create(known.Signal,
            context => context.Cancel = Handle(known.Number)))];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Cancellation => _source.Token;

    /// <summary>128 + the number of the signal, the convention of shells; null without a signal.</summary>
    public int? ExitCode => _number == 0 ? null : SignalOffset + _number;

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
        _source.Dispose();
    }

    // Returns whether the process continues.
    private bool Handle(int signal)
    {
        lock (_gate)
        {
            if (_number != 0)
                return Stopwatch.GetElapsedTime(_first) < DoubleSignal;
            (_number, _first) = (signal, Stopwatch.GetTimestamp());
        }
        _ = _source.CancelAsync();
        return true;
    }
}
