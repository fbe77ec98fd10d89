using System.CommandLine;
using System.Globalization;
using SaeUnbox.Cli.Bench;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using SaeUnbox.Cli.Serving;
using TorchSharp;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>bench</c>: how long each part of a model takes, and how near it comes to a plain matrix product.</summary>
internal sealed class BenchCommand
{
    private const int SideMultiple = 64;

    private readonly Option<string?> model = new("--model") { Description = "Folder of an SDXL pipeline.", HelpName = "DIR" };
    private readonly Option<string?> architecture = new("--architecture") { Description = "A full-size model with random weights: sdxl-turbo.", HelpName = "NAME" };
    private readonly Option<string> dtype = new("--dtype") { Description = "Number format: auto (default; what the device is fastest in), fp32, bf16, fp16; --sae trains in fp32.", DefaultValueFactory = _ => "auto" };
    private readonly DeviceArgument device = new();
    private readonly Option<int?> threads = new("--threads") { Description = "CPU threads (default: one a core; with --runs one for a small model).", HelpName = "N" };
    private readonly Option<int> side = new("--size") { Description = "Pixels on a side (default 512).", HelpName = "N", DefaultValueFactory = _ => 512 };
    private readonly Option<int> repeats = new("--repeats") { Description = "Timed runs of each part (default 3).", HelpName = "N", DefaultValueFactory = _ => 3 };
    private readonly Option<string[]> parts = new("--part") { Description = "Only these parts (may be given several times): text_encoder, text_encoder_2, unet, vae, vae_tiny (in the model's folder or beside it).", HelpName = "NAME" };
    private readonly Option<int?> runs = new("--runs") { Description = "Time whole runs and painted edits instead, N of each: median and 95th percentile. Without --model: of the model that ships.", HelpName = "N" };
    private readonly Option<string?> saes = new("--saes") { Description = "Folder of sparse autoencoders, for --runs and --serving.", HelpName = "DIR" };
    private readonly Option<string?> sae = new("--sae") { Description = "Time a training step of a sparse autoencoder instead: channels, features, k and batch, such as 1280,5120,10,4096.", HelpName = "D,N,K,B" };
    private readonly Option<bool> serving = new("--serving") { Description = "Time the queue with canvases that are painted on instead: pictures a second and how long each takes." };
    private readonly Option<string> canvases = new("--canvases") { Description = "Canvases at once, for --serving, several with commas.", HelpName = "N,…", DefaultValueFactory = _ => "1,8,64" };
    private readonly Option<double> seconds = new("--seconds") { Description = "Time of each, for --serving.", HelpName = "S", DefaultValueFactory = _ => 20 };
    private readonly Option<string?> broker = new("--broker") { Description = "For --serving, the same over this RabbitMQ as well, in queues of its own, and what it costs.", HelpName = "AMQP" };
    private readonly Option<bool> processor = new("--processor-time") { Description = "Count the processor's time, not the clock's: for a machine that is busy otherwise, with --threads 1." };
    private readonly Option<bool> json = new("--json") { Description = "Print the figures as JSON." };

    public static Command Create(Terminal terminal)
    {
        var options = new BenchCommand();
        var command = new Command("bench", "Time text encoders, U-Net, resumed edits and decoders beside a matrix product.") { options.model, options.architecture, options.dtype };
        options.device.AddTo(command);
        foreach (var option in (Option[])[options.threads, options.side, options.repeats, options.parts, options.runs, options.saes, options.sae, options.serving,
            options.canvases, options.seconds, options.broker, options.processor, options.json]) command.Add(option);
        command.SetGuardedAction(terminal, (parsed, cancellation) =>
        {
            if (parsed.GetValue(options.serving)) options.TimeServing(terminal, parsed, cancellation);
            else if (parsed.GetValue(options.runs) is { } count) options.TimeRuns(terminal, parsed, count, cancellation);
            else options.TimeParts(terminal, parsed, cancellation);
        });
        return command;
    }

    private void TimeServing(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var served = Model(parsed);
        var settings = new Dictionary<string, string?>
        {
            ["SaeUnbox:Models:0:Name"] = served.Name,
            ["SaeUnbox:Models:0:Folder"] = served.Folder,
            ["SaeUnbox:Models:0:SaeFolder"] = served.SaeFolder,
            ["SaeUnbox:Models:0:Device"] = served.Device.ToString(),
            ["SaeUnbox:Models:0:Dtype"] = Names.Of(served.Dtype),
            ["SaeUnbox:Models:0:Threads"] = served.Threads?.ToString(CultureInfo.InvariantCulture),
        };
        var time = parsed.GetValue(seconds) is > 0 and <= 3600 and var s ? TimeSpan.FromSeconds(s) : throw new CliException("--seconds: use more than 0, up to 3600.");
        var comparison = new ServingComparison(settings, NumberList.Parse("--canvases", parsed.GetRequiredValue(canvases)), time, parsed.GetValue(broker), parsed.GetValue(json));
        comparison.RunAsync(terminal, cancellation).GetAwaiter().GetResult();
    }

    private void TimeRuns(Terminal terminal, ParseResult parsed, int count, CancellationToken cancellation)
    {
        Whole.Between("--runs", count, 1, 100_000);
        using var loaded = ModelSession.Load(terminal, Model(parsed), cancellation);
        RunsReport.Write(terminal, loaded.Info.Name, count, new RecipeBenchmark(loaded, count).Run(cancellation), parsed.GetValue(json));
    }

    private void TimeParts(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var trained = parsed.GetValue(sae) is { } shape ? SaeBenchmark.Parse(shape) : null;
        var source = trained is null ? Source(parsed) : null;
        var pixels = parsed.GetValue(side) is >= SideMultiple and <= RecipeLimits.MaxSide and var size && size % SideMultiple == 0
            ? size : throw new CliException($"--size {parsed.GetValue(side)}: use a multiple of {SideMultiple} from {SideMultiple} to {RecipeLimits.MaxSide}.");
        var times = Whole.Between("--repeats", parsed.GetValue(repeats), 1, 1000);
        var onProcessorTime = parsed.GetValue(processor);
        if (onProcessorTime && parsed.GetValue(threads) != 1) throw new CliException("--processor-time counts the work of one thread: add --threads 1.");
        if (trained is not null && Choice(parsed) is not (DtypeChoice.Auto or DtypeChoice.Fp32)) throw new CliException("--sae: autoencoders are trained in fp32.");
        var format = trained is not null ? Dtype.Fp32 : Format(parsed);
        var wanted = Parts(parsed);
        Threads.Use(parsed.GetValue(threads) is { } given ? ModelArguments.Threads(given) : Environment.ProcessorCount);

        using var scope = torch.NewDisposeScope();
        using var mode = torch.no_grad();
        var precision = Precision.For(format.ToScalarType(), device.Read(parsed));
        using var meter = new Meter(precision, times, onProcessorTime);
        var report = new PartsReport(terminal, parsed.GetValue(json))
        {
            Model = trained?.Name ?? source!.Name, Dtype = format, Precision = precision, Side = trained is null ? pixels : null, OnProcessorTime = onProcessorTime,
        };
        report.Write(Rows(), cancellation);

        IEnumerable<Measurement> Rows()
        {
            foreach (var row in trained is null ? new ModelBenchmark(source!, precision, pixels, meter).Run(wanted) : [trained.Run(meter, precision.Device)]) yield return row;
            yield return meter.MatrixProduct;
        }
    }

    // With --runs and --serving, the model that ships unless another is named.
    private ModelOptions Model(ParseResult parsed)
    {
        var folder = ModelArguments.Folder(parsed, model);
        return new()
        {
            Name = folder is null ? EmbeddedModel.Name : null,
            Folder = folder ?? EmbeddedModel.ModelFolder,
            SaeFolder = ModelArguments.Folder(parsed, saes) ?? (folder is null ? EmbeddedModel.SaeFolder : null),
            Device = device.Read(parsed),
            Dtype = Format(parsed),
            Threads = parsed.GetValue(threads) is { } own ? ModelArguments.Threads(own) : null,
        };
    }

    private ComponentSource Source(ParseResult parsed) => (parsed.GetValue(model), parsed.GetValue(architecture)) switch
    {
        ({ } folder, null) => ComponentSource.Folder(folder),
        (null, { } name) => ComponentSource.Architecture(name),
        _ => throw new CliException("say what to time: either --model DIR or --architecture sdxl-turbo, or --sae."),
    };

    private Dtype Format(ParseResult parsed) => Choice(parsed).On(device.Read(parsed));

    private DtypeChoice Choice(ParseResult parsed) => Word.Parse<DtypeChoice>("--dtype", parsed.GetValue(dtype))!.Value;

    private IReadOnlyList<string> Parts(ParseResult parsed) => parsed.GetValue(parts) is { Length: > 0 } named
        ? [.. named.Select(part => Word.Among("--part", part, ModelBenchmark.Parts))]
        : ModelBenchmark.Parts;
}
