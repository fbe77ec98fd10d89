using System.Security.Cryptography;
using System.Text;

namespace SaeUnbox.Lab;

/// <summary>
/// Measures a model's dictionaries: how they fit, what reconstruction does to pictures, how alike two sets are, and, against a judge, how
/// well features, concepts and baselines find and steer elements. Writes a folder that a stopped evaluation continues from.
/// </summary>
public static class ModelEvaluation
{
    /// <param name="model">A model with dictionaries.</param>
    /// <param name="folder">Gets the parts, and report.json, tables and index.html at the end.</param>
    /// <param name="progress">Receives what is being done, units of work done and all units.</param>
    /// <exception cref="SaeException">The folder belongs to another evaluation, or dictionaries do not fit.</exception>
    public static EvaluationReport Run(LoadedModel model, EvaluationRequest request, string folder,
        Action<string, int, int>? progress = null, CancellationToken cancellation = default)
    {
        IReadOnlyList<Site> sites = request.Sites.Count > 0 ? request.Sites : [.. model.Saes.Keys];
        foreach (var site in sites)
            if (request.Second is { } second && second.TryGetValue(site, out var other) && other.Width != model.Saes[site].Width)
                throw new SaeException($"{other.Source}: takes vectors of {other.Width} channels, but the dictionary to match with has "
                    + $"{model.Saes[site].Width}; it belongs to another model.");
        var question = Ask(model, request, request.SettingsOf(model), sites);
        var open = EvaluationFolder.Open(folder, question);
        using var alone = FolderLock.Take(folder);
        var work = new Work(model, request, sites, question, open, progress ?? ((_, _, _) => { }), cancellation);
        var report = work.Run();
        EvaluationFiles.Write(open, report);
        return report;
    }

    private static EvaluationQuestion Ask(LoadedModel model, EvaluationRequest request, Recipe settings, IReadOnlyList<Site> sites) => new()
    {
        Model = model.Info.Title,
        ModelFingerprint = model.Fingerprint,
        Dictionaries = Fingerprint(sites.Select(site => (site.Code, model.Saes[site].Source))),
        SecondDictionaries = request.Second is { } second
            ? Fingerprint(second.Select(pair => (pair.Key.Code, pair.Value.Source))) : null,
        Clip = request.ClipFolder is { } clip ? Fingerprint([("clip", clip)]) : null,
        Dtype = Names.Of(model.Dtype),
        Device = model.Saes[sites[0]].Device.ToString(),
        Threads = model.Threads,
        Steps = settings.Steps,
        Guidance = settings.Guidance,
        Width = settings.Width,
        Height = settings.Height,
        Sites = [.. sites.Select(site => site.Code)],
        Captions = request.Captions.Count,
        CaptionsHash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n',
            request.Captions.Select(caption => FormattableString.Invariant($"{caption.Seed} {caption.Text}")))))),
        Pictures = request.Pictures,
        Scenes = request.Scenes,
        Tuning = request.Tuning,
        Seed = request.Judge is null ? null : request.Seed,
        Elements = request.Judge is null ? [] : request.Elements.Count > 0 ? request.Elements : request.Judge.Elements,
    };

    private static string Fingerprint(IEnumerable<(string Name, string Path)> sources) => FileFingerprint.Compute(sources
        .SelectMany(one => File.Exists(one.Path)
            ? [one]
            : Directory.EnumerateFiles(one.Path).Where(file => !Path.GetFileName(file).StartsWith('.'))
                .Select(file => (Name: $"{one.Name}/{Path.GetFileName(file)}", Path: file))));

    /// <summary>One evaluation under way.</summary>
    private sealed class Work(LoadedModel model, EvaluationRequest request, IReadOnlyList<Site> sites, EvaluationQuestion question,
        EvaluationFolder folder, Action<string, int, int> progress, CancellationToken cancellation)
    {
        private const double LeakageStrength = 8;

        private readonly Recipe _settings = request.SettingsOf(model);
        private readonly Lock _lock = new();
        private int _done;

        // A caption of the fit, its reconstructions, a site to match and a known picture are about as much work.
        private int All => (2 * question.Captions) + (request.Second is null ? 0 : sites.Count)
            + (request.Judge is null ? Math.Min(question.Captions, question.Scenes) : 0)
            + (question.Elements.Count > 0 ? (2 * question.Pictures) + (question.Elements.Count * OfElement) : 0);

        private int OfElement => 5 * (question.Scenes + question.Tuning);

        public EvaluationReport Run()
        {
            var fit = folder.Part("fit", () => DictionaryFit.Measure(model, _settings, sites, request.Captions,
                done => progress("fit", done, All), cancellation));
            _done = question.Captions;
            var reconstruction = Reconstruct();
            var stability = Compare();
            var leakage = request.Judge is null ? Leak() : [];
            var elements = request.Judge is { } judge ? Judge(judge) : [];
            return new(question, request.Judge?.Description, fit, reconstruction, stability, leakage, elements,
                EvaluationTotals.Detection(elements), EvaluationTotals.Steering(elements), [.. Missing()]);
        }

        private IReadOnlyList<ReconstructionRow> Reconstruct()
        {
            using var clip = request.ClipFolder is { } path ? ClipModel.Load(path, device: model.Saes[sites[0]].Device) : null;
            return DictionaryFit.Mean(request.Captions.SelectMany((caption, i) =>
            {
                var rows = folder.Part(FormattableString.Invariant($"reconstruction-{i:d5}"),
                    () => DictionaryFit.Reconstruct(model, _settings, sites, caption, clip, cancellation));
                Step("reconstruction");
                return rows;
            }));
        }

        private StabilityRow[] Compare()
        {
            if (request.Second is not { } second)
                return [];
            return
            [
                .. sites.Where(second.ContainsKey).Select(site =>
                {
                    cancellation.ThrowIfCancellationRequested();
                    var figures = folder.Part($"stability-{site.Code}",
                        () => DictionaryStability.Measure(model.Saes[site], second[site]));
                    Step("matching dictionaries");
                    return new StabilityRow(site.Code, figures);
                }),
            ];
        }

        private LeakageRow[] Leak()
        {
            var rows = request.Captions.Take(question.Scenes).SelectMany((caption, i) =>
            {
                var leakages = folder.Part(FormattableString.Invariant($"leakage-{i:d5}"), () => Leak(caption));
                Step("leakage");
                return leakages;
            });
            return
            [
                .. rows.GroupBy(row => row.Site).Select(site => (site.Key, Inside: site.Average(row => row.Inside),
                        Outside: site.Average(row => row.Outside), Count: site.Count()))
                    .Select(site => new LeakageRow(site.Key, LeakageStrength, site.Count, site.Inside, site.Outside,
                        site.Inside > 0 ? site.Outside / site.Inside : null)),
            ];
        }

        private LeakageRow[] Leak(Caption caption)
        {
            using var effects = new FeatureEffects(model, _settings with { Prompt = caption.Text, Seed = caption.Seed });
            var maps = effects.Plain(cancellation).Maps;
            return
            [
                .. from site in sites
                   let map = maps.Find(site)!
                   let active = map.Top(1)
                   where active.Count > 0 && model.Saes[site].Scale is not null
                   let mask = FeatureEffects.MiddleQuarter(map.Rows, map.Columns)
                   from one in effects.Leakages(site, [active[0].Feature], LeakageStrength, mask, cancellation)
                   select new LeakageRow(site.Code, LeakageStrength, 1, one.Inside, one.Outside, one.Ratio),
            ];
        }

        private ElementFigures[] Judge(IPictureJudge judge)
        {
            var parts = question.Elements.Select(element => "element-" + element).ToArray();
            if (!parts.All(folder.Has))
                Measure(judge, [.. question.Elements.Where(element => !folder.Has("element-" + element))]);
            return
            [
                .. parts.Select(part => folder.Part<ElementFigures>(part, () => throw new SaeException($"the part {part} has vanished."))),
            ];
        }

        private void Measure(IPictureJudge judge, IReadOnlyList<string> elements)
        {
            using var selection = Known(0);
            using var test = Known(question.Pictures);
            _done += (question.Elements.Count - elements.Count) * OfElement;
            var workers = request.LoadAnother is null ? 1 : Math.Clamp(Environment.ProcessorCount / model.Threads, 1, elements.Count);
            var next = -1;
            Parallel.For(0, workers, new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation }, worker =>
            {
                var own = worker == 0 ? model : request.LoadAnother!();
                try
                {
                    using var evaluation = new ElementEvaluation(own, request, selection, test);
                    for (var i = Interlocked.Increment(ref next); i < elements.Count; i = Interlocked.Increment(ref next))
                        Measure(evaluation, elements[i]);
                }
                finally
                {
                    if (own != model)
                        own.Dispose();
                }
            });

            KnownCells Known(int first)
            {
                var before = _done;
                var known = KnownCells.Read(model, judge, _settings, sites, Enumerable.Range(first, question.Pictures),
                    done => progress("known pictures", before + done, All), cancellation);
                _done += question.Pictures;
                return known;
            }
        }

        private void Measure(ElementEvaluation evaluation, string element)
        {
            folder.Part("element-" + element, () =>
            {
                var (figures, sheet) = evaluation.Run(element, cancellation);
                if (sheet is null)
                    return figures;
                var name = $"{element}.jpg";
                AtomicFile.WriteAllBytes(folder.At(name), Jpeg.Encode(sheet));
                return figures with { Sheet = name };
            });
            lock (_lock)
                Step(element, OfElement);
        }

        private void Step(string what, int units = 1) => progress(what, _done += units, All);

        private IEnumerable<MissingMeasure> Missing()
        {
            yield return new("LPIPS", "there is no network for it here; its weights are not part of the program.");
            if (request.ClipFolder is null)
                yield return new("CLIP", "no weights were given; name their folder with --clip.");
            if (request.Second is null)
                yield return new("stability", "there is one set of dictionaries; name a second one with --second.");
            foreach (var site in sites.Where(site => request.Second is { } second && !second.ContainsKey(site)))
                yield return new($"stability of {site}", "the second set has no dictionary for it.");
            if (request.Judge is null)
                foreach (var site in sites.Where(site => model.Saes[site].Scale is null))
                    yield return new($"leakage of {site}", "its dictionary has no means; saeunbox statistics --write-scale makes them.");
            if (request.Judge is null)
                yield return new("detection, success, retention, artefacts and their baselines",
                    "nothing here knows what this model's pictures show; unbox-mini's scenes do.");
        }
    }
}

/// <summary>What to evaluate.</summary>
public sealed record EvaluationRequest
{
    /// <summary>For the fit and for pictures after reconstruction; at least one.</summary>
    public required IReadOnlyList<Caption> Captions { get; init; }

    /// <summary>Steps, guidance and size of all pictures; null for the model's own.</summary>
    public Recipe? Settings { get; init; }

    /// <summary>Empty for all with a dictionary.</summary>
    public IReadOnlyList<Site> Sites { get; init; } = [];

    /// <summary>Another set of dictionaries to match with; null for none. The caller disposes it.</summary>
    public SaeSet? Second { get; init; }

    /// <summary>A folder of CLIP; null for none.</summary>
    public string? ClipFolder { get; init; }

    /// <summary>Knows what the pictures show; null if nothing does.</summary>
    public IPictureJudge? Judge { get; init; }

    /// <inheritdoc cref="EvaluationQuestion.Seed"/>
    public int Seed { get; init; }

    /// <summary>Empty for all that the judge knows.</summary>
    public IReadOnlyList<string> Elements { get; init; } = [];

    /// <inheritdoc cref="EvaluationQuestion.Pictures"/>
    public int Pictures { get; init; } = 100;

    /// <inheritdoc cref="EvaluationQuestion.Scenes"/>
    public int Scenes { get; init; } = 20;

    /// <inheritdoc cref="EvaluationQuestion.Tuning"/>
    public int Tuning { get; init; } = 6;

    /// <summary>Loads the model once more for each further processor; null to work on one.</summary>
    public Func<LoadedModel>? LoadAnother { get; init; }

    internal Recipe SettingsOf(LoadedModel model) => Settings ?? model.Info.NewRecipe();
}
