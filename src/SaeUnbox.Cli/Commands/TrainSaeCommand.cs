namespace SaeUnbox.Cli.Commands;

/// <summary><c>train-sae</c>: trains sparse autoencoders on collected activations, several in one pass over the data.</summary>
internal sealed class TrainSaeCommand
{
    private static readonly TrainingOptions Defaults = new();

    private readonly Option<string?> _data = Setting.Required<string?>("--data", "DIR", "Folder that saeunbox collect filled.");
    private readonly Option<string[]> _sites =
        Setting.Of<string[]>("--site", "SITE", "A site; may be repeated (default: all sites of the data).");
    private readonly Option<string> _output = Setting.Output("DIR",
        "Folder to fill with NAME/final in the published layout, NAME/log.csv and NAME/training.svg. If it was interrupted, the same "
        + "command continues it.");
    private readonly Option<string> _k = Setting.Of("--k", "K,…",
        "Active features per cell. Every k is combined with every size of --features.", Text(Defaults.K));
    private readonly Option<string> _features = new("--features", "-n")
    {
        Description = "Sizes of the dictionaries.",
        HelpName = "N,…",
        DefaultValueFactory = _ => Text(Defaults.Features),
    };
    private readonly Option<string> _auxK = Setting.Of("--auxk", "N",
        "Dead features that the auxiliary loss uses, or none.", Text(Defaults.AuxK!.Value));
    private readonly Option<double> _auxKCoefficient =
        Setting.Of("--auxk-coefficient", "X", "Weight of the auxiliary loss.", Defaults.AuxKCoefficient);
    private readonly Option<int> _batch = Setting.Of("--batch", "N", "Vectors per step.", Defaults.BatchSize);
    private readonly Option<double> _rate = Setting.Of("--lr", "X", "Learning rate.", Defaults.LearningRate);
    private readonly Option<double> _epsilon = Setting.Of("--eps", "X", "Adam's epsilon.", Defaults.Epsilon);
    private readonly Option<int> _warmUp = Setting.Of("--warm-up", "N", "Steps over which the learning rate rises.", Defaults.WarmUpSteps);
    private readonly Option<long> _deadAfter = Setting.Of("--dead-after", "N",
        "A feature that was not active for N vectors counts as dead.", Defaults.DeadAfterVectors);
    private readonly Option<string> _variant = Setting.Of("--variant", "RULE",
        "topk (k active features per cell) or batchtopk (k per cell on average).", "topk");
    private readonly Option<string?> _nested = Setting.Of<string?>("--nested", "N,…",
        "Sizes of nested dictionaries, each of which must reconstruct on its own (Matryoshka).");
    private readonly Option<long?> _steps = Setting.Of<long?>("--steps", "N", "Training steps; may be raised when a run continues.");
    private readonly Option<int?> _epochs = Setting.Of<int?>("--epochs", "N", "Passes over the data, instead of --steps (default: 1).");
    private readonly Option<long> _seed = Setting.Of("--seed", "N", "Seed of the initial weights and the order of the data.", 42L);
    private readonly Option<int> _sample = Setting.Of("--sample", "N", "Vectors used to find the centre and scale of the data.", 40960);
    private readonly Option<long> _window = Setting.Of("--window", "N", "Vectors shuffled in memory at a time.", 1L << 17);
    private readonly Option<int> _logEvery = Setting.Of("--log-every", "N", "Steps between rows of the log.", 10);
    private readonly Option<int> _saveEvery =
        Setting.Of("--save-every", "N", "Steps between saved states; a crash loses at most this many.", 500);
    private readonly Option<string?> _trained = Setting.Of<string?>("--from", "DIR",
        "Start from trained autoencoders of the same sites, k and sizes instead of random weights.");
    private readonly ComputeArguments _compute = new();
    private readonly Option<bool> _json = Setting.Switch("--json", "Print folders and figures as JSON.");

    public static Command Create(Terminal terminal)
    {
        var self = new TrainSaeCommand();
        return terminal.NewCommand("train-sae",
            "Train sparse autoencoders on collected activations. You can interrupt it; the same command continues.",
            [self._data, self._sites, self._output, self._k, self._features, self._auxK, self._auxKCoefficient, self._batch, self._rate,
                self._epsilon, self._warmUp, self._deadAfter, self._variant, self._nested, self._steps, self._epochs, self._seed,
                self._sample, self._window, self._logEvery, self._saveEvery, self._trained, .. self._compute.Options, self._json],
            (parsed, cancellation) => self.Run(terminal, parsed, cancellation));
    }

    private void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var (data, folder) = (InputFolder.Read(parsed, _data)!, parsed.GetRequiredValue(_output));
        OutputFile.RequireFolder(folder, "--out");
        if (parsed.GetValue(_steps) is not null && parsed.GetValue(_epochs) is not null)
            throw new CliException("say either --steps or --epochs.");
        var autoencoders = Autoencoders(parsed);
        var named = SiteArgument.Read(parsed, _sites);
        var collections = (named.Length > 0 ? named : SiteArgument.Collected(data))
            .Select(site => (Site: site, Data: ActivationCollection.Open(data, site))).ToArray();
        // Reports wrong options before any work.
        foreach (var (site, collection) in collections)
        {
            if (collection.HoldsOutputs)
                throw new CliException(
                    $"--data {data}: outputs of {site} were collected for a dictionary that reads them; train on what the "
                    + "site adds, which collect stores without that dictionary in --saes.");
            foreach (var options in autoencoders)
                options.ToConfig(collection.Width);
        }
        var device = _compute.Apply(parsed);

        var rows = new JsonArray();
        foreach (var (site, collection) in collections)
        {
            var plan = Plan(parsed, site, autoencoders, collection);
            terminal.Note($"{site}: {collection.Rows} vectors of {collection.Width} channels, {plan.Steps} steps");
            foreach (var path in Train(terminal, plan, collection, folder, device, cancellation))
            {
                var report = Measure(terminal, path, collection, device, cancellation);
                SaeWriter.SaveScale(report.Scale, Path.Combine(path, "final"));
                terminal.Note($"{Path.GetFileName(path)}: done; this process used at most {ByteSize.Of(PeakMemory.OfProcess)} of memory");
                rows.Add(Node(site, path, report));
                if (!parsed.GetValue(_json))
                    terminal.Output.WriteLine(StatisticsCommand.Summary(path, report));
            }
        }
        if (parsed.GetValue(_json))
            terminal.Output.WriteLine(Json.Text(rows));
    }

    private static IReadOnlyList<string> Train(
        Terminal terminal, TrainingPlan plan, ActivationCollection collection, string folder, string device, CancellationToken cancellation)
    {
        try
        {
            return terminal.WithProgress($"training {plan.Site}", work => TrainingSession.Run(plan, collection, folder, device,
                at => work.Report(at.StepsDone, at.Steps, () => Text(plan.Site, at)), cancellation));
        }
        catch (OperationCanceledException)
        {
            terminal.Note($"the state is saved in {folder}; the same command continues.");
            throw;
        }
    }

    // Painting and icons need the mean of each feature.
    private static StatisticsReport Measure(
        Terminal terminal, string path, ActivationCollection collection, string device, CancellationToken cancellation)
    {
        using var sae = OnDevice.LoadAutoencoder(path, device);
        var title = $"measuring {Path.GetFileName(path)}";
        return terminal.WithProgress(title, work =>
            ActivationStatistics.Measure(sae, collection, share => work.Report(share, title), cancellation));
    }

    private TrainingPlan Plan(ParseResult parsed, Site site, IReadOnlyList<TrainingOptions> autoencoders,
        ActivationCollection collection)
    {
        var plan = new TrainingPlan(site, autoencoders, Steps: 0)
        {
            Seed = (ulong)Require.AtLeast(0, "--seed", parsed.GetValue(_seed)),
            SampleRows = Require.AtLeast(1, "--sample", parsed.GetValue(_sample)),
            WindowRows = Require.AtLeast(1, "--window", parsed.GetValue(_window)),
            LogEvery = Require.AtLeast(1, "--log-every", parsed.GetValue(_logEvery)),
            SaveEvery = Require.AtLeast(1, "--save-every", parsed.GetValue(_saveEvery)),
            From = InputFolder.Read(parsed, _trained) is { } folder
                ? [.. autoencoders.Select(options => Trained(folder, site, options))]
                : null,
        };
        if (parsed.GetValue(_steps) is { } count)
            return plan with { Steps = Require.AtLeast(1, "--steps", count) };
        var stream = new ActivationStream(collection, autoencoders[0].BatchSize, plan.Seed, plan.WindowRows);
        var passes = Require.AtLeast(1, "--epochs", parsed.GetValue(_epochs) ?? 1);
        return plan with { Steps = Enumerable.Range(0, passes).Sum(epoch => stream.BatchesOf(epoch)) };
    }

    private static string Trained(string folder, Site site, TrainingOptions options)
    {
        var variant = string.Create(CultureInfo.InvariantCulture, $"k{options.K}_hidden{options.Features}");
        return SaeSet.Find(folder, variant).TryGetValue(site, out var found)
            ? found
            : throw new CliException($"--from {folder}: there is no {variant} of {site}.");
    }

    private IReadOnlyList<TrainingOptions> Autoencoders(ParseResult parsed)
    {
        var shared = Defaults with
        {
            AuxK = AuxK(parsed.GetRequiredValue(_auxK)),
            AuxKCoefficient = parsed.GetValue(_auxKCoefficient),
            BatchSize = parsed.GetValue(_batch),
            LearningRate = parsed.GetValue(_rate),
            Epsilon = parsed.GetValue(_epsilon),
            WarmUpSteps = parsed.GetValue(_warmUp),
            DeadAfterVectors = parsed.GetValue(_deadAfter),
            Sparsity = NamedValue.Parse<SparsityRule>("--variant", parsed.GetRequiredValue(_variant))!.Value,
        };
        var nested = parsed.GetValue(_nested) is { } text ? NumberList.Parse("--nested", text) : null;
        return
        [
            .. from size in NumberList.Parse("--features", parsed.GetRequiredValue(_features)).Distinct()
               from active in NumberList.Parse("--k", parsed.GetRequiredValue(_k)).Distinct()
               select shared with
               {
                   Features = size,
                   K = active,
                   PrefixSizes = nested is null ? null : [.. nested.Where(part => part < size).Distinct().Order(), size],
               },
        ];
    }

    private static int? AuxK(string text) => text == "none" ? null
        : NumberList.Parse("--auxk", text) is [var number] ? number
        : throw new CliException("--auxk: use one number, or none.");

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Text(Site site, TrainingProgress at)
    {
        var losses = at.Reports.Select(report => report.Total.ToString("0.0000", CultureInfo.InvariantCulture));
        var explained = at.Reports.Select(report => report.ExplainedVariance.ToString("0.000", CultureInfo.InvariantCulture));
        return $"{site}: loss {string.Join(' ', losses)}, explained variance {string.Join(' ', explained)}";
    }

    private static JsonObject Node(Site site, string path, StatisticsReport report) => new()
    {
        ["site"] = site.Code,
        ["folder"] = path,
        ["explainedVariancePerChannel"] = report.ExplainedVariancePerChannel,
        ["explainedVariancePooled"] = report.ExplainedVariancePooled,
        ["dead"] = report.Dead,
        ["features"] = report.Frequency.Count,
        ["peakBytes"] = PeakMemory.OfProcess,
    };
}
