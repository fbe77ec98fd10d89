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
