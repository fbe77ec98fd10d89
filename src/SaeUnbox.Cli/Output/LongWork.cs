using System.Diagnostics;

namespace SaeUnbox.Cli.Output;

/// <summary>Tells how far hours of work are: on the bar where there is one, else in a line now and then.</summary>
/// <param name="terminal">Gets the lines.</param>
/// <param name="bar">The bar.</param>
internal sealed class LongWork(Terminal terminal, IProgress<Advance> bar)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private readonly long start = Stopwatch.GetTimestamp();
    private long noted = Stopwatch.GetTimestamp();
    private double? first;

    /// <param name="done">Units of work that are done.</param>
    /// <param name="total">Units of work in all.</param>
    /// <param name="what">What is done and its figures; asked only where it is shown.</param>
    public void Report(double done, double total, Func<string> what)
    {
        first ??= done;
        if (terminal.HasBars) bar.Report(new(done, total, what()));
        else if (Stopwatch.GetElapsedTime(noted) >= Pause)
        {
            noted = Stopwatch.GetTimestamp();
            terminal.Note(FormattableString.Invariant($"{what()}; {done:0} of {total:0}{Left(done, total)}"));
        }
    }

    private string Left(double done, double total)
    {
        if (done <= first) return "";
        var left = Stopwatch.GetElapsedTime(start) * ((total - done) / (done - first!.Value));
        return $", {Remaining.Text(left)}";
    }
}
