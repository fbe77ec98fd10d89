using SaeUnbox.Cli.Bench;
using SaeUnbox.Cli.Serving;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>bench</c>: times the parts of a model against a matrix product, whole runs, or the queue.</summary>
internal sealed class BenchCommand
{
    private const int SideMultiple = 64, DefaultRuns = 10;
    private const int PicturesPerRepeat = 32, StepsPerRepeat = 4;
    private const long FirstSeed = 42;
    private const string DefaultSae = "1280,5120,10,4096";

    private readonly Option<string?> _model =
        Setting.Of<string?>("--model", "PATH", "A model; --loading and --runs also take one file.");
    private readonly Option<string?> _architecture = Setting.Of<string?>("--architecture", "NAME",
        $"Time a full-size model with random weights: {string.Join(", ", Lab.ModelBenchmark.Architectures)}.");
    private readonly Option<string> _dtype = Setting.Of("--dtype", "FORMAT",
        "Number format: auto (the fastest on the device), fp32, bf16, fp16, int8. --sae always uses fp32.", "auto");
    private readonly DeviceArgument _device = new();
    private readonly Option<int?> _threads = Setting.Of<int?>("--threads", "N",
        "CPU threads (default: one per core; with --runs, one for a small model).");
    private readonly Option<int> _side = Setting.Of("--size", "N", "Width and height of the picture in pixels.", 512);
    private readonly Option<int> _repeats = Setting.Of("--repeats", "N", "Timed runs of each part.", 3);
    private readonly Option<string[]> _parts = Setting.Of<string[]>("--part", "NAME",
        "Time only this part: text_encoder, text_encoder_2, unet, vae or vae_tiny (in the model's folder or next to it); may be repeated.");
    private readonly Option<int?> _runs = Setting.Of<int?>("--runs", "N",
        "Time N whole runs and N edits at each site instead, of the built-in model unless --model names another.");
    private readonly Option<string[]> _loras = InputPath.Loras();
    private readonly Option<string?> _cache = InputPath.Cache();
    private readonly Option<string?> _saes =
        Setting.Of<string?>("--saes", "DIR", "Folder of sparse autoencoders, for --runs and --serving.");
    private readonly Option<string?> _sae = Setting.Of<string?>("--sae", "D,N,K,B",
        $"Time a training step of a sparse autoencoder instead: channels, features, k and batch size, such as {DefaultSae}. With --lab, "
        + "the sizes that it trains.");
    private readonly Option<bool> _lab = Setting.Switch("--lab",
        $"Time the lab instead: pictures a second of collect and steps a second of train-sae, {PicturesPerRepeat} and {StepsPerRepeat} for "
        + "each of --repeats, and their peak memory.");
    private readonly Option<bool> _serving = Setting.Switch("--serving",
        "Time the queue instead: pictures per second and latency while several canvases are painted on.");
    private readonly Option<string> _canvases =
        Setting.Of("--canvases", "N,…", "For --serving: numbers of simultaneous canvases.", "1,8,64");
    private readonly Option<int?> _beside = Setting.Of<int?>("--beside", "N",
        "For --serving: measure one painter alone and beside a client with N canvases instead.");
    private readonly Option<double> _seconds = Setting.Of("--seconds", "S", "For --serving: duration of each measurement.", 20.0);
    private readonly Option<string?> _broker = Setting.Of<string?>("--broker", "AMQP",
        "For --serving: also measure over this RabbitMQ broker, in separate queues.");
    private readonly Option<bool> _loading = Setting.Switch("--loading",
        "Time the loading of the model instead, against a plain read of its files, and compare peak memory with its weights.");
    private readonly Option<bool> _compare = Setting.Switch("--compare",
        "Compare the number formats of the device instead: speed, memory, and what they do to pictures and features; "
        + "with --architecture, to the results of the parts.");
    private readonly Option<int> _pictures = Setting.Of("--pictures", "N", "For --compare: pictures to compare.", 20);
    private readonly Option<bool> _processor = Setting.Switch("--processor-time",
        "Measure processor time instead of wall time, for a machine that is busy; needs --threads 1.");
    private readonly Option<bool> _json = Setting.Switch("--json", "Print the figures as JSON.");

    public static Command Create(Terminal terminal)
    {
        var self = new BenchCommand();
        return terminal.NewCommand("bench", "Time text encoders, U-Net, resumed edits and decoders against a matrix product.",
            [self._model, self._loras, self._cache, self._architecture, self._dtype, self._device.Option, self._threads, self._side,
                self._repeats, self._parts, self._runs, self._saes, self._sae, self._lab, self._serving, self._loading, self._compare,
                self._pictures, self._canvases, self._beside, self._seconds, self._broker, self._processor, self._json],
            (parsed, cancellation) => self.Run(terminal, parsed, cancellation));
    }

    private void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(_serving))
            TimeServing(terminal, parsed, cancellation);
        else if (parsed.GetValue(_loading))
            TimeLoading(terminal, parsed, cancellation);
        else if (parsed.GetValue(_compare) && parsed.GetValue(_architecture) is null)
            CompareFormats(terminal, parsed, cancellation);
        else if (parsed.GetValue(_lab))
            TimeLab(terminal, parsed, cancellation);
        else if (parsed.GetValue(_runs) is { } count)
            TimeRuns(terminal, parsed, count, cancellation);
        else
            TimeParts(terminal, parsed, cancellation);
    }

    private void TimeServing(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var served = Model(parsed);
        var settings = new Dictionary<string, string?>
        {
            ["SaeUnbox:Models:0:Name"] = served.Name,
            ["SaeUnbox:Models:0:Folder"] = served.Folder,
            ["SaeUnbox:Models:0:SaeFolder"] = served.SaeFolder,
            ["SaeUnbox:Models:0:Device"] = _device.Read(parsed),
            ["SaeUnbox:Models:0:Dtype"] = Names.Of(served.Dtype),
            ["SaeUnbox:Models:0:Threads"] = served.Threads?.ToString(CultureInfo.InvariantCulture),
        };
        var duration = parsed.GetValue(_seconds) is > 0 and <= 3600 and var seconds
            ? TimeSpan.FromSeconds(seconds)
            : throw new CliException("--seconds: use a number above 0, up to 3600.");
        var canvases = NumberList.Parse("--canvases", parsed.GetRequiredValue(_canvases));
        var comparison = new ServingComparison(settings, canvases, duration, parsed.GetValue(_broker), parsed.GetValue(_json));
        var work = parsed.GetValue(_beside) is { } greedy
            ? comparison.RunBesideAsync(Require.Between("--beside", greedy, 1, 1000), terminal, cancellation)
            : comparison.RunAsync(terminal, cancellation);
        work.GetAwaiter().GetResult();
    }

    private void TimeRuns(Terminal terminal, ParseResult parsed, int count, CancellationToken cancellation)
    {
        Require.Between("--runs", count, 1, 100_000);
        using var loaded = ModelSession.Load(terminal, Model(parsed), cancellation);
        RunsReport.Write(terminal, loaded.Info.Name, count, new RecipeBenchmark(loaded, count).Run(cancellation), parsed.GetValue(_json));
    }

    private void CompareFormats(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var count = Require.Between("--pictures", parsed.GetValue(_pictures), 1, 10_000);
        var repeats = Require.Between("--runs", parsed.GetValue(_runs) ?? DefaultRuns, 1, 100_000);
        var options = Model(parsed);
        var captions = options.Name == EmbeddedModel.Name
            ? CaptionArguments.Generate(count, FirstSeed)
            : [.. Enumerable.Range(0, count).Select(i => new Caption(RecipeBenchmark.Prompt, FirstSeed + i))];
        var comparison = new FormatComparison(
            format => ModelSession.Load(terminal, options.In(format), cancellation), captions, repeats);
        FormatReport.Write(terminal, options.Name ?? options.Folder, count, Formats(_device.Read(parsed))
            .Select(format => terminal.WithProgress("comparing", work => comparison.Measure(
                format, done => work.Report(done, count, () => $"{Names.Of(format)} pictures"), cancellation))), parsed.GetValue(_json));
    }

    // fp32 comes first: the others are compared with it.
    private static Dtype[] Formats(string device) =>
        device == "cpu" ? [Core.Dtype.Fp32, Core.Dtype.Bf16, Core.Dtype.Int8] : [Core.Dtype.Fp32, Core.Dtype.Bf16, Core.Dtype.Fp16];

    private void TimeLoading(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var repeats = Require.Between("--repeats", parsed.GetValue(_repeats), 1, 1000);
        LoadingReport.Write(terminal, LoadingBenchmark.Run(Model(parsed), repeats, cancellation), parsed.GetValue(_json));
    }

    private void TimeLab(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var repeats = Require.Between("--repeats", parsed.GetValue(_repeats), 1, 1000);
        var (width, options) = Sae(parsed.GetValue(_sae) ?? DefaultSae);
        LabFigures collect;
        using (var loaded = ModelSession.Load(terminal, Model(parsed), cancellation))
        {
            var together = CollectCommand.DefaultPictures(loaded, loaded.Info.Width, loaded.Info.Height);
            collect = LabBenchmark.Collect(loaded, repeats * PicturesPerRepeat, together, cancellation);
        }
        Threads.Use(parsed.GetValue(_threads) is { } given ? ModelArguments.Threads(given) : Environment.ProcessorCount);
        var train = LabBenchmark.Train(options, width, repeats * StepsPerRepeat, _device.Read(parsed), cancellation);
        LabReport.Write(terminal, [collect, train], parsed.GetValue(_json));
    }

    private void TimeParts(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var isSae = parsed.GetValue(_sae) is not null;
        var side = parsed.GetValue(_side);
        if (side is < SideMultiple or > RecipeLimits.MaxSide || side % SideMultiple != 0)
            throw new CliException($"--size {side}: use a multiple of {SideMultiple} from {SideMultiple} to {RecipeLimits.MaxSide}.");
        PartsBenchmark benchmark = parsed.GetValue(_sae) is { } sae && Sae(sae) is var (width, options)
            ? new SaeBenchmark(width, options)
            : ModelBenchmark(parsed, side);
        var onProcessorTime = parsed.GetValue(_processor);
        if (onProcessorTime && parsed.GetValue(_threads) != 1)
            throw new CliException("--processor-time measures work on one thread: add --threads 1.");
        if (isSae && Dtype(parsed) is not (DtypeChoice.Auto or DtypeChoice.Fp32))
            throw new CliException("--sae: autoencoders are trained in fp32.");
        var repeats = Require.Between("--repeats", parsed.GetValue(_repeats), 1, 1000);
        var dtype = isSae ? Core.Dtype.Fp32
            : parsed.GetValue(_architecture) is null ? Model(parsed).Sized().Dtype
            : Model(parsed).LargeDtype ?? Model(parsed).Dtype;
        Threads.Use(parsed.GetValue(_threads) is { } given ? ModelArguments.Threads(given) : Environment.ProcessorCount);
        var settings = new BenchmarkSettings(dtype, _device.Read(parsed), repeats, onProcessorTime);
        if (!parsed.GetValue(_compare))
        {
            new PartsReport(terminal, settings, isSae ? null : side, parsed.GetValue(_json)).Write(benchmark, cancellation);
            return;
        }
        var reference = new Dictionary<string, float[]>();
        PartsReport.WriteAll(Formats(settings.Device).Select(format => new PartsReport(
            terminal, settings with { Dtype = format, Reference = reference }, side,
            parsed.GetValue(_json))), benchmark, terminal, cancellation);
    }

    // The built-in model, unless --model names another.
    private ModelOptions Model(ParseResult parsed)
    {
        var folder = InputPath.Read(parsed, _model);
        return new ModelOptions
        {
            Name = folder is null ? EmbeddedModel.Name : null,
            Loras = InputPath.ReadLoras(parsed, _loras),
            CacheFolder = ModelOptions.ParseCache(parsed.GetValue(_cache)),
            Folder = folder ?? EmbeddedModel.ModelFolder,
            SaeFolder = InputFolder.Read(parsed, _saes) ?? (folder is null ? EmbeddedModel.SaeFolder : null),
            Threads = parsed.GetValue(_threads) is { } count ? ModelArguments.Threads(count) : null,
        }.On(_device.Read(parsed), Dtype(parsed));
    }

    private static (int Width, TrainingOptions Options) Sae(string text)
    {
        if (NumberList.Parse("--sae", text) is not [var width, var features, var k, var batch])
            throw new CliException($"--sae {Line.Quote(text)}: four numbers are expected, such as {DefaultSae}.");
        var defaults = new TrainingOptions();
        return (width, defaults with
        {
            Features = features,
            K = k,
            BatchSize = batch,
            AuxK = Math.Min(features, defaults.AuxK!.Value),
        });
    }

    private PartsBenchmark ModelBenchmark(ParseResult parsed, int side)
    {
        IReadOnlyList<string> parts = parsed.GetValue(_parts) is { Length: > 0 } named
            ? [.. named.Select(part => NamedValue.OneOf("--part", part, Lab.ModelBenchmark.Parts))]
            : Lab.ModelBenchmark.Parts;
        return (InputFolder.Read(parsed, _model), parsed.GetValue(_architecture)) switch
        {
            ({ } folder, null) => Lab.ModelBenchmark.OfFolder(folder, parts, side),
            (null, { } name) => Lab.ModelBenchmark.OfArchitecture(
                NamedValue.OneOf("--architecture", name, Lab.ModelBenchmark.Architectures), parts, side),
            _ => throw new CliException("say what to time: either --model DIR or --architecture NAME, or --sae."),
        };
    }

    private DtypeChoice Dtype(ParseResult parsed) => NamedValue.Parse<DtypeChoice>("--dtype", parsed.GetValue(_dtype))!.Value;
}
