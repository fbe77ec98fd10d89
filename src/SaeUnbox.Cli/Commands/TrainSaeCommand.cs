using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using SaeUnbox.Cli.Bench;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using TorchSharp;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>train-sae</c>: sparse autoencoders from collected activations, several in one pass over the data.</summary>
internal sealed class TrainSaeCommand
{
    private static readonly TrainingOptions Usual = new();

    private readonly Option<string> data = new("--data") { Description = "What collect filled.", HelpName = "DIR", Required = true };
    private readonly Option<string[]> sites = new("--site") { Description = "A site; may be given several times (default: every site of the data).", HelpName = "SITE" };
    private readonly Option<string> output = new("--out", "-o") { Description = "The folder to fill: NAME/final in the published layout, NAME/log.csv, NAME/training.svg. The same command goes on where it was left.", HelpName = "DIR", Required = true };
    private readonly Option<string> k = new("--k") { Description = "Active features a cell; several with commas, each with each size.", HelpName = "K,…", DefaultValueFactory = _ => Text(Usual.K) };
    private readonly Option<string> features = new("--features", "-n") { Description = "Size of the dictionary; several with commas.", HelpName = "N,…", DefaultValueFactory = _ => Text(Usual.Features) };
    private readonly Option<string> auxK = new("--auxk") { Description = "Dead features that the auxiliary loss may use, or none.", HelpName = "N", DefaultValueFactory = _ => Text(Usual.AuxK!.Value) };
    private readonly Option<double> auxKCoefficient = new("--auxk-coefficient") { Description = "Weight of the auxiliary loss.", HelpName = "X", DefaultValueFactory = _ => Usual.AuxKCoefficient };
    private readonly Option<int> batch = new("--batch") { Description = "Vectors a step.", HelpName = "N", DefaultValueFactory = _ => Usual.BatchSize };
    private readonly Option<double> rate = new("--lr") { Description = "Learning rate.", HelpName = "X", DefaultValueFactory = _ => Usual.LearningRate };
    private readonly Option<double> epsilon = new("--eps") { Description = "Adam's epsilon.", HelpName = "X", DefaultValueFactory = _ => Usual.Epsilon };
    private readonly Option<int> warmUp = new("--warm-up") { Description = "Steps over which the learning rate rises.", HelpName = "N", DefaultValueFactory = _ => Usual.WarmUpSteps };
    private readonly Option<long> deadAfter = new("--dead-after") { Description = "Vectors without firing after which a feature is dead.", HelpName = "N", DefaultValueFactory = _ => Usual.DeadAfterVectors };
    private readonly Option<string> variant = new("--variant") { Description = "topk (k a cell) or batchtopk (k a cell in the mean).", HelpName = "RULE", DefaultValueFactory = _ => "topk" };
    private readonly Option<string?> nested = new("--nested") { Description = "Sizes of smaller dictionaries inside, that must do alone (Matryoshka).", HelpName = "N,…" };
    private readonly Option<long?> steps = new("--steps") { Description = "Steps; may grow when a run goes on.", HelpName = "N" };
    private readonly Option<int?> epochs = new("--epochs") { Description = "Passes over the data in place of steps (default 1).", HelpName = "N" };
    private readonly Option<long> seed = new("--seed") { Description = "Fixes the first weights and the order of the data.", HelpName = "N", DefaultValueFactory = _ => 42 };
    private readonly Option<int> sample = new("--sample") { Description = "Vectors that centre and scale are taken from.", HelpName = "N", DefaultValueFactory = _ => 40960 };
    private readonly Option<long> window = new("--window") { Description = "Vectors mixed in memory at once.", HelpName = "N", DefaultValueFactory = _ => 1 << 17 };
    private readonly Option<int> logEvery = new("--log-every") { Description = "Steps between rows of the log.", HelpName = "N", DefaultValueFactory = _ => 10 };
    private readonly Option<int> saveEvery = new("--save-every") { Description = "Steps between saved states; what a crash can lose.", HelpName = "N", DefaultValueFactory = _ => 500 };
    private readonly Option<string?> trained = new("--from") { Description = "Go on from trained autoencoders of the same sites, k and sizes in place of random weights.", HelpName = "DIR" };
    private readonly ComputeArguments compute = new();
    private readonly Option<bool> json = new("--json") { Description = "Print folders and figures as JSON." };

    public static Command Create(Terminal terminal)
    {
        var options = new TrainSaeCommand();
        var command = new Command("train-sae", "Train sparse autoencoders on collected activations. Stop it at any time; the same command goes on.");
        foreach (var option in (Option[])[options.data, options.sites, options.output, options.k, options.features, options.auxK, options.auxKCoefficient, options.batch,
            options.rate, options.epsilon, options.warmUp, options.deadAfter, options.variant, options.nested, options.steps, options.epochs, options.seed, options.sample,
            options.window, options.logEvery, options.saveEvery, options.trained]) command.Add(option);
        options.compute.AddTo(command);
        command.Add(options.json);
        command.SetGuardedAction(terminal, (parsed, cancellation) => options.Run(terminal, parsed, cancellation));
        return command;
    }

    private void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var (from, folder) = (parsed.GetRequiredValue(data), parsed.GetRequiredValue(output));
        if (!Directory.Exists(from)) throw new CliException($"--data {Line.Quote(from)}: there is no such folder.");
        OutputFile.RequireFolder(folder, "--out");
        if (parsed.GetValue(steps) is not null && parsed.GetValue(epochs) is not null) throw new CliException("say either --steps or --epochs.");
        var autoencoders = Autoencoders(parsed);
        var named = (parsed.GetValue(sites) ?? []).Select(code => SiteArgument.Parse("--site", code)).Distinct().ToArray();
        var collections = (named.Length > 0 ? named : CollectedSites.Of(from)).Select(site => (Site: site, Data: ActivationCollection.Open(from, site))).ToArray();
        foreach (var (_, collection) in collections)
            foreach (var options in autoencoders) options.ToConfig(collection.Width); // tells what is wrong before any work
        var device = compute.Apply(parsed);

        var rows = new JsonArray();
        foreach (var (site, collection) in collections)
        {
            var plan = Plan(parsed, site, autoencoders, collection);
            terminal.Note($"{site}: {collection.Rows} vectors of {collection.Width} channels, {plan.Steps} steps");
            foreach (var path in Train(terminal, plan, collection, folder, device, cancellation))
            {
                var report = Measure(terminal, path, collection, device, cancellation);
                SaeWriter.SaveScale(report.Scale, Path.Combine(path, "final"));
                terminal.Note($"{Path.GetFileName(path)}: done; this process took {ByteSize.Of(PeakMemory.OfProcess)} of memory at most");
                rows.Add(Row(site, path, report));
                if (!parsed.GetValue(json)) terminal.Output.WriteLine(Figures(path, report));
            }
        }
        if (parsed.GetValue(json)) terminal.Output.WriteLine(Json.Text(rows));
    }

    private static IReadOnlyList<string> Train(
        Terminal terminal, TrainingPlan plan, ActivationCollection collection, string folder, torch.Device device, CancellationToken cancellation)
    {
        try
        {
            return terminal.WithProgress($"training {plan.Site}", bar => TrainingSession.Run(
                plan, collection, folder, device, new Told(plan.Site, new LongWork(terminal, bar)), cancellation));
        }
        catch (OperationCanceledException)
        {
            terminal.Note($"the state is saved in {folder}; the same command goes on from it.");
            throw;
        }
    }

    // Mean and deviation of each feature are what painting and icons need beside the weights.
    private static StatisticsReport Measure(Terminal terminal, string path, ActivationCollection collection, torch.Device device, CancellationToken cancellation)
    {
        using var sae = SaeLoader.Load(path, device);
        return terminal.WithProgress($"measuring {Path.GetFileName(path)}", bar => ActivationStatistics.Measure(
            sae, collection, new Share(new LongWork(terminal, bar), $"measuring {Path.GetFileName(path)}"), cancellation));
    }

    private TrainingPlan Plan(ParseResult parsed, HookSite site, IReadOnlyList<TrainingOptions> autoencoders, ActivationCollection collection)
    {
        var plan = new TrainingPlan(site, autoencoders, Steps: 0)
        {
            Seed = (ulong)Whole.AtLeast(0, "--seed", parsed.GetValue(seed)),
            SampleRows = Whole.AtLeast(1, "--sample", parsed.GetValue(sample)),
            WindowRows = Whole.AtLeast(1, "--window", parsed.GetValue(window)),
            LogEvery = Whole.AtLeast(1, "--log-every", parsed.GetValue(logEvery)),
            SaveEvery = Whole.AtLeast(1, "--save-every", parsed.GetValue(saveEvery)),
            From = ModelArguments.Folder(parsed, trained) is { } folder ? [.. autoencoders.Select(options => Trained(folder, site, options))] : null,
        };
        if (parsed.GetValue(steps) is { } count) return plan with { Steps = Whole.AtLeast(1, "--steps", count) };
        var stream = new ActivationStream(collection, autoencoders[0].BatchSize, plan.Seed, plan.WindowRows);
        var passes = Whole.AtLeast(1, "--epochs", parsed.GetValue(epochs) ?? 1);
        return plan with { Steps = Enumerable.Range(0, passes).Sum(epoch => stream.BatchesOf(epoch)) };
    }

    private static string Trained(string folder, HookSite site, TrainingOptions options)
    {
        var variant = string.Create(CultureInfo.InvariantCulture, $"k{options.K}_hidden{options.Features}");
        return SaeSet.Find(folder, variant).TryGetValue(site, out var found) ? found : throw new CliException($"--from {folder}: there is no {variant} of {site}.");
    }

    private IReadOnlyList<TrainingOptions> Autoencoders(ParseResult parsed)
    {
        var shared = Usual with
        {
            AuxK = parsed.GetRequiredValue(auxK) is "none" ? null : NumberList.Parse("--auxk", parsed.GetRequiredValue(auxK)) is [var one] ? one : throw new CliException("--auxk: one number, or none, is expected."),
            AuxKCoefficient = parsed.GetValue(auxKCoefficient),
            BatchSize = parsed.GetValue(batch),
            LearningRate = parsed.GetValue(rate),
            Epsilon = parsed.GetValue(epsilon),
            WarmUpSteps = parsed.GetValue(warmUp),
            DeadAfterVectors = parsed.GetValue(deadAfter),
            Sparsity = Word.Parse<SparsityRule>("--variant", parsed.GetRequiredValue(variant))!.Value,
        };
        var inner = parsed.GetValue(nested) is { } given ? NumberList.Parse("--nested", given) : null;
        return [.. from size in NumberList.Parse("--features", parsed.GetRequiredValue(features)).Distinct()
                   from active in NumberList.Parse("--k", parsed.GetRequiredValue(k)).Distinct()
                   select shared with { Features = size, K = active, PrefixSizes = inner is null ? null : [.. inner.Where(part => part < size).Distinct().Order(), size] }];
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Figures(string path, StatisticsReport report) => string.Create(CultureInfo.InvariantCulture,
        $"{path}: explained variance {report.ExplainedVariancePerChannel:0.0000} (per channel), {report.ExplainedVariancePooled:0.0000} (pooled), {report.Dead} dead of {report.Frequency.Count}");

    private static JsonObject Row(HookSite site, string path, StatisticsReport report) => new()
    {
        ["site"] = site.Code,
        ["folder"] = path,
        ["explainedVariancePerChannel"] = report.ExplainedVariancePerChannel,
        ["explainedVariancePooled"] = report.ExplainedVariancePooled,
        ["dead"] = report.Dead,
        ["features"] = report.Frequency.Count,
        ["peakBytes"] = PeakMemory.OfProcess,
    };

    private sealed class Told(HookSite site, LongWork work) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => work.Report(value.StepsDone, value.Steps, () => string.Create(CultureInfo.InvariantCulture,
            $"{site}: loss {string.Join(' ', value.Reports.Select(report => report.Total.ToString("0.0000", CultureInfo.InvariantCulture)))}, explained {string.Join(' ', value.Reports.Select(report => report.ExplainedVariance.ToString("0.000", CultureInfo.InvariantCulture)))}"));
    }
}
