namespace SaeUnbox.Lab;

/// <summary>Adds up what happened to pictures that were steered.</summary>
internal sealed class SteeringTally
{
    private int _pictures, _possible, _successes, _found, _withOthers, _unclearBefore, _unclear;
    private double _retention, _inside, _outside;

    /// <param name="change">The mean change of the picture inside and outside the cells, 0 to 1.</param>
    public void Add(SteeringTask task, PictureReading before, PictureReading after, (double Inside, double Outside) change)
    {
        var wanted = task == SteeringTask.Paint;
        _pictures++;
        _found += after.HasElement ? 1 : 0;
        if (before.HasElement != wanted)
        {
            _possible++;
            _successes += after.HasElement == wanted ? 1 : 0;
        }
        if (before.Others.Count > 0)
        {
            _withOthers++;
            _retention += before.Others.Zip(after.Others).Count(pair => pair.First == pair.Second) / (double)before.Others.Count;
        }
        _unclearBefore += before.IsUnclear ? 1 : 0;
        _unclear += after.IsUnclear ? 1 : 0;
        (_inside, _outside) = (_inside + change.Inside, _outside + change.Outside);
    }

    /// <summary>Share of all pictures in which the element is there afterwards; null without any.</summary>
    public double? Found => Ratio(_found, _pictures);

    public SteeringFigures Figures => new(_pictures, _possible, Ratio(_successes, _possible), Ratio(_retention, _withOthers),
        Ratio(_unclear, _pictures), Ratio(_unclearBefore, _pictures), Ratio(_outside, _inside));

    /// <summary>Success * retention * (1 - artefact rate): what strengths and sites are chosen by. Null if success is unknown.</summary>
    public static double? Score(SteeringFigures figures) =>
        figures.Success is { } success ? success * (figures.Retention ?? 1) * (1 - (figures.Artefacts ?? 0)) : null;

    private static double? Ratio(double part, double whole) => whole > 0 ? part / whole : null;
}

/// <summary>What steering did. Shares are null where there was nothing to count.</summary>
/// <param name="Possible">Pictures in which the element was not yet there (painting), or was there (removing).</param>
/// <param name="Success">Share of these in which it is there now (painting), or gone (removing).</param>
/// <param name="Retention">Mean share of the answers about everything else that are the same as before.</param>
/// <param name="Artefacts">Share of pictures with a part that shows nothing clear.</param>
/// <param name="ArtefactsBefore">The same for the plain pictures.</param>
/// <param name="Leakage">Mean change outside the cells / mean change inside.</param>
public sealed record SteeringFigures(int Pictures, int Possible, double? Success, double? Retention, double? Artefacts,
    double? ArtefactsBefore, double? Leakage)
{
    /// <summary>Means of several; shares that are unknown do not count.</summary>
    public static SteeringFigures Mean(IReadOnlyCollection<SteeringFigures> all) => new(all.Sum(one => one.Pictures),
        all.Sum(one => one.Possible), all.Average(one => one.Success), all.Average(one => one.Retention),
        all.Average(one => one.Artefacts), all.Average(one => one.ArtefactsBefore), all.Average(one => one.Leakage));
}
