using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Puts an element into pictures and takes it out by every method. Strengths are chosen on some pictures, by
/// <see cref="SteeringTally.Score"/>, and the chosen ones measured on others.
/// </summary>
/// <param name="request">Has a judge.</param>
/// <param name="methods">The methods of each site.</param>
internal sealed class ElementSteering(LoadedModel model, EvaluationRequest request, string element,
    IReadOnlyDictionary<Site, IReadOnlyList<SteeringMethod>> methods)
{
    private const int Batch = 10, TileSide = 128;

    private readonly Recipe _settings = request.SettingsOf(model);
    private readonly List<IReadOnlyList<Picture>> _examples = [];

    /// <summary>A row of pictures for each task: the plain one, then one of each method at its best site; null without any.</summary>
    public Picture? Sheet() =>
        _examples.Count == 0 ? null : PictureSheet.Of([.. _examples.SelectMany(row => row)], _examples[0].Count, TileSide);

    public IReadOnlyList<SteeringRow> Run(SteeringTask task, CancellationToken cancellation)
    {
        Candidate[] all =
        [
            .. from site in methods
               from method in site.Value
               from strength in method.Strengths(task)
               select new Candidate(site.Key, method, strength),
            new Candidate(null, null, 1),
        ];
        Try(all, task, Enumerable.Range(request.Scenes, request.Tuning), false, cancellation);
        Candidate[] chosen = [.. all.GroupBy(one => (one.Site, one.Name)).Select(group => group.MaxBy(one => one.Chosen ?? 0)!.Again())];
        Try(chosen, task, Enumerable.Range(0, request.Scenes), true, cancellation);
        return
        [
            .. chosen.Where(one => one.Tally.Figures.Pictures > 0).Select(one =>
                new SteeringRow(one.Site?.Code, one.Name, task, one.Strength, one.Chosen, one.Tally.Figures)),
        ];
    }

    private void Try(Candidate[] candidates, SteeringTask task, IEnumerable<int> numbers, bool shows, CancellationToken cancellation)
    {
        foreach (var chunk in numbers.Chunk(Batch))
        {
            SteeringTrial[] trials = [.. chunk.AsParallel().AsOrdered().Select(number => request.Judge!.Trial(element, task, number))
                .OfType<SteeringTrial>()];
            if (trials.Length == 0)
                continue;
            var examples = Try(candidates, task, trials, cancellation);
            if (shows && _examples.Count == (int)task)
                _examples.Add(examples);
        }
    }

    // Steers a batch with every candidate. Returns its first picture: plain, then by each method where it is best.
    private List<Picture> Try(Candidate[] candidates, SteeringTask task, SteeringTrial[] trials, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        using var batch = new PictureBatch(model.Model, Requests.For(_settings, [.. trials.Select(trial => trial.Caption)]),
            [.. methods.Keys]);
        var plain = Decoded(batch.Latents, cancellation);
        var before = Read(trials, plain);
        var best = candidates.GroupBy(one => one.Name).ToDictionary(group => group.Key, group => group.MaxBy(one => one.Chosen ?? 0));
        List<Picture> examples = [plain[0], .. SteeringMethod.Names.Select(_ => plain[0])];
        foreach (var candidate in candidates)
        {
            using var inner = NewDisposeScope();
            cancellation.ThrowIfCancellationRequested();
            if (Steered(candidate, task, trials, batch) is not { } latents)
                continue;
            var pictures = Decoded(latents, cancellation);
            var after = Read(trials, pictures);
            for (var i = 0; i < trials.Length; i++)
                candidate.Tally.Add(task, before[i], after[i],
                    PictureChange.Between(plain[i], pictures[i]).Split(trials[i].Cells));
            if (best[candidate.Name] == candidate)
                examples[1 + SteeringMethod.Names.Index().Single(name => name.Item == candidate.Name).Index] = pictures[0];
        }
        return examples;
    }

    // Latents, or null if the method has nothing to do here.
    private Tensor? Steered(Candidate candidate, SteeringTask task, SteeringTrial[] trials, PictureBatch batch)
    {
        if (candidate is not { Site: { } site, Method: { } method })
        {
            if (trials.Any(trial => trial.OtherPrompt is null))
                return null;
            using var other = new PictureBatch(model.Model,
                Requests.For(_settings, [.. trials.Select(trial => trial.Caption with { Text = trial.OtherPrompt! })]), []);
            return other.Latents.clone();
        }
        var (rows, columns) = (batch.At(site).Output.shape[2], batch.At(site).Output.shape[3]);
        var cells = stack(trials.Select(trial => Edits.GridTensor(trial.Cells.Scaled((int)rows, (int)columns)).unsqueeze(0)));
        using var edit = new MaskedEdit(method.Edit(task, candidate.Strength), cells);
        return batch.Edited(site, edit);
    }

    private Picture[] Decoded(Tensor latents, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var bytes = Pixels.ToBytes(model.Model.Decode(latents, cancellation));
        return [.. Enumerable.Range(0, (int)bytes.shape[0]).Select(i =>
            new Picture((int)bytes.shape[2], (int)bytes.shape[1], 3, bytes[i].contiguous().bytes.ToArray()))];
    }

    private static PictureReading[] Read(SteeringTrial[] trials, Picture[] pictures)
    {
        var readings = new PictureReading[trials.Length];
        Parallel.For(0, trials.Length, i => readings[i] = trials[i].Probe.Read(pictures[i]));
        return readings;
    }

    // A method at a site with a strength, and what it did; without a site it is the prompt.
    private sealed class Candidate(Site? site, SteeringMethod? method, double strength)
    {
        private readonly double? _chosen;
        private readonly bool _isAgain;

        private Candidate(Candidate tried) : this(tried.Site, tried.Method, tried.Strength) => (_chosen, _isAgain) = (tried.Chosen, true);

        public Site? Site => site;

        public SteeringMethod? Method => method;

        public string Name => method?.Name ?? SteeringMethod.Prompt;

        public double Strength => strength;

        public SteeringTally Tally { get; } = new();

        /// <summary>The score on the pictures for choosing; null if they gave none.</summary>
        public double? Chosen => _isAgain ? _chosen : SteeringTally.Score(Tally.Figures);

        public Candidate Again() => new(this);
    }
}

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
