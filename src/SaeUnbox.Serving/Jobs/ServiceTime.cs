namespace SaeUnbox.Serving;

/// <summary>How long jobs take, as a running average.</summary>
internal sealed class ServiceTime
{
    private const double Share = .2;
    private TimeSpan? _average;

    public void Add(TimeSpan time) => _average = _average is { } average ? average + ((time - average) * Share) : time;

    /// <summary>The average; null while nothing was measured.</summary>
    public TimeSpan? Average => _average;

    /// <summary>The wait behind so many jobs; null while nothing was measured.</summary>
    public TimeSpan? Expected(int jobsAhead) => _average * jobsAhead;
}
