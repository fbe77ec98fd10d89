using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary>Progress that is told as a share from 0 to 1.</summary>
internal sealed class Share(LongWork work, string title) : IProgress<double>
{
    public void Report(double value) => work.Report(Math.Round(100 * value), 100, () => title);
}
