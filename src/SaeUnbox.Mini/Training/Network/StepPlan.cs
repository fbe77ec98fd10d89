namespace SaeUnbox.Mini.Training;

internal enum StepKind { Plain, Swap, Paint }

/// <summary>What one step of one worker practises.</summary>
/// <param name="Kind">Plain pictures, deltas of one picture put into another, or painted directions.</param>
/// <param name="Site">Index of the site that is edited; for plain steps the number of sites, past all of them.</param>
/// <param name="CutFrom">From this reader on the text is silent, so that an edit is not undone by reading the caption again.</param>
/// <param name="PooledIsSilent">The pooled text is zero.</param>
/// <param name="Amplification">Of the noise's patches.</param>
internal sealed record StepPlan(StepKind Kind, int Site, int CutFrom, bool PooledIsSilent, double Amplification)
{
    public static StepPlan Draw(Random random, int step, NetworkOptions options)
    {
        var done = (double)step / options.Steps;
        var kind = Kinds(random.NextDouble(), done, options);
        var site = kind == StepKind.Plain ? MiniSites.All.Count : random.Next(MiniSites.All.Count);
        var cuts = done >= options.CutFrom && random.NextDouble() < .5;
        // Plain steps more often lose the text from the start of the readers, which is the hardest.
        var cutFrom = !cuts ? int.MaxValue : kind == StepKind.Plain ? Math.Max(0, random.Next(-1, MiniSites.ReadersAfter.Count)) : site;
        var silent = done >= options.CutFrom && random.NextDouble() < .5;
        var amplification = options.AmplifiedShare <= 0 ? 1
            : Math.Max(1, options.Amplification - (options.Amplification - 1) * done / options.AmplifiedShare);
        return new(kind, site, cutFrom, silent, amplification);
    }

    private static StepKind Kinds(double u, double done, NetworkOptions options)
    {
        var swaps = done >= options.SwapFrom ? options.SwapShare : 0;
        var paints = done >= options.PaintFrom ? options.PaintShare : 0;
        return u < swaps ? StepKind.Swap : u < swaps + paints ? StepKind.Paint : StepKind.Plain;
    }
}
