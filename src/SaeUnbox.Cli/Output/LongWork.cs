using System.Diagnostics;

namespace SaeUnbox.Cli.Output;

/// <summary>Reports the progress of long work: on a progress bar, or without one in a line from time to time.</summary>
internal sealed class LongWork(Terminal terminal, IProgress<Advance> bar)
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _noted = Stopwatch.GetTimestamp();
    private double? _first;

    /// <param name="done">Units of work done.</param>
    /// <param name="total">Units of work in total.</param>
    /// <param name="what">Describes the work; called only when shown.</param>
    public void Report(double done, double total, Func<string> what)
    {
        _first ??= done;
        if (terminal.HasBars)
            bar.Report(new(done, total, what()));
        else if (Stopwatch.GetElapsedTime(_noted) >= terminal.NoteInterval)
        {
            _noted = Stopwatch.GetTimestamp();
            terminal.Note(FormattableString.Invariant($"{what()}; {done:0} of {total:0}{Left(done, total)}"));
        }
    }

    private string Left(double done, double total)
    {
        if (done <= _first)
            return "";
        var left = Stopwatch.GetElapsedTime(_start) * ((total - done) / (done - _first!.Value));
        return $", {Remaining.Text(left)}";
    }
}
