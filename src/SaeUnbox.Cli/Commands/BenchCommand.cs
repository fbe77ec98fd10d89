using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using SaeUnbox.Cli.Bench;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using SaeUnbox.Cli.Serving;
using SaeUnbox.Contracts;
using SaeUnbox.Diffusion;
using SaeUnbox.Inference;
using TorchSharp;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>bench</c>: how long each part of a model takes, and how near it comes to a plain matrix product.</summary>
internal static class BenchCommand
{
    private const int DefaultSide = 512;

    public static Command Create(Terminal terminal)
    {
        var model = new Option<string?>("--model") { Description = "Folder of an SDXL pipeline.", HelpName = "DIR" };
        var architecture = new Option<string?>("--architecture") { Description = "A full-size model with random weights: sdxl-turbo.", HelpName = "NAME" };
        var dtype = new Option<string>("--dtype") { Description = "Number format: fp32 (default), bf16, fp16.", DefaultValueFactory = _ => "fp32" };
        var device = new Option<string>("--device") { Description = "cpu (default), cuda or cuda:N.", DefaultValueFactory = _ => "cpu" };
        var threads = new Option<int?>("--threads") { Description = "CPU threads (default: one a core; with --runs one for a small model).", HelpName = "N" };
        var side = new Option<int>("--size") { Description = "Pixels on a side (default 512).", HelpName = "N", DefaultValueFactory = _ => DefaultSide };
        var repeats = new Option<int>("--repeats") { Description = "Timed runs of each part (default 3).", HelpName = "N", DefaultValueFactory = _ => 3 };
        var parts = new Option<string[]>("--part") { Description = "Only these parts (may be given several times): text_encoder, text_encoder_2, unet, vae, vae_tiny.", HelpName = "NAME" };
        var runs = new Option<int?>("--runs") { Description = "Time whole runs and painted edits instead, N of each: median and 95th percentile. Without --model: of the model that ships.", HelpName = "N" };
        var saes = new Option<string?>("--saes") { Description = "Folder of sparse autoencoders, for --runs.", HelpName = "DIR" };
        var sae = new Option<string?>("--sae") { Description = "Time a training step of a sparse autoencoder instead: channels, features, k and batch, such as 1280,5120,10,4096.", HelpName = "D,N,K,B" };
        var serving = new Option<bool>("--serving") { Description = "Time the queue with canvases that are painted on instead: pictures a second and how long each takes." };
        var canvases = new Option<string>("--canvases") { Description = "Canvases at once, for --serving, several with commas.", HelpName = "N,…", DefaultValueFactory = _ => "1,8,64" };
        var seconds = new Option<double>("--seconds") { Description = "Time of each, for --serving.", HelpName = "S", DefaultValueFactory = _ => 20 };
        var broker = new Option<string?>("--broker") { Description = "For --serving, the same over this RabbitMQ as well, in queues of its own, and what it costs.", HelpName = "AMQP" };
        var processor = new Option<bool>("--processor-time") { Description = "Count the processor's time, not the clock's: for a machine that is busy otherwise, with --threads 1." };
        var json = new Option<bool>("--json") { Description = "Print the figures as JSON." };
        var command = new Command("bench", "Time text encoders, U-Net, resumed edits and decoders beside a matrix product.") { model, architecture, dtype, device, threads, side, repeats, parts, runs, saes, sae, serving, canvases, seconds, broker, processor, json };
        command.Runs(terminal, (parsed, cancellation) =>
        {
            if (parsed.GetValue(serving))
            {
                var settings = new Dictionary<string, string?>();
                if (parsed.GetValue(model) is { } served)
                    (settings["SaeUnbox:Models:0:Folder"], settings["SaeUnbox:Models:0:SaeFolder"]) = (served, parsed.GetValue(saes));
                var time = parsed.GetValue(seconds) is > 0 and <= 3600 and var s ? TimeSpan.FromSeconds(s) : throw new CliException("--seconds: use more than 0, up to 3600.");
                var comparison = new ServingComparison(settings, NumberList.Parse("--canvases", parsed.GetRequiredValue(canvases)), time, parsed.GetValue(broker), parsed.GetValue(json));
                comparison.RunAsync(terminal, cancellation).GetAwaiter().GetResult();
                return;
            }
            if (parsed.GetValue(runs) is { } wantedRuns)
            {
                TimeRuns(terminal, new ModelOptions
                {
                    Folder = parsed.GetValue(model) ?? EmbeddedModel.ModelFolder,
                    SaeFolder = parsed.GetValue(saes) ?? (parsed.GetValue(model) is null ? EmbeddedModel.SaeFolder : null),
                    Device = ModelArguments.Device(parsed.GetRequiredValue(device)),
                    Dtype = Word.Parse<Dtype>("--dtype", parsed.GetValue(dtype))!.Value,
                    Threads = parsed.GetValue(threads) is { } own ? ModelArguments.Threads(own) : null,
                }, wantedRuns is >= 1 and <= 100_000 ? wantedRuns : throw new CliException($"--runs {wantedRuns}: use 1 to 100000."), parsed.GetValue(json), cancellation);
                return;
            }
            var trained = parsed.GetValue(sae) is { } shape ? SaeBenchmark.Parse(shape) : null;
            var source = (parsed.GetValue(model), parsed.GetValue(architecture)) switch
            {
                _ when trained is not null => null,
                ({ } folder, null) => ComponentSource.Folder(folder),
                (null, { } name) => ComponentSource.Architecture(name),
                _ => throw new CliException("say what to time: either --model DIR or --architecture sdxl-turbo, or --sae."),
            };
            var pixels = parsed.GetValue(side) is >= 64 and <= 4096 and var size && size % 64 == 0 ? size : throw new CliException($"--size {parsed.GetValue(side)}: use a multiple of 64 from 64 to 4096.");
            var times = parsed.GetValue(repeats) is >= 1 and <= 1000 and var count ? count : throw new CliException($"--repeats {parsed.GetValue(repeats)}: use 1 to 1000.");
            var onProcessorTime = parsed.GetValue(processor);
            if (onProcessorTime && parsed.GetValue(threads) != 1) throw new CliException("--processor-time counts the work of one thread: add --threads 1.");
            torch.set_num_threads(parsed.GetValue(threads) is { } given ? ModelArguments.Threads(given) : Environment.ProcessorCount);
            var place = ModelArguments.Device(parsed.GetRequiredValue(device));
            if (place.type == DeviceType.CUDA && !torch.cuda.is_available()) throw new CliException($"--device {place}: this libtorch ({torch.__version__}) finds no CUDA.");
            var format = Word.Parse<Dtype>("--dtype", parsed.GetValue(dtype))!.Value;
            if (trained is not null && format != Dtype.Fp32) throw new CliException("--sae: autoencoders are trained in fp32.");

            var wanted = parsed.GetValue(parts) is { Length: > 0 } named ? named : ModelBenchmark.Parts;
            if (wanted.FirstOrDefault(part => !ModelBenchmark.Parts.Contains(part)) is { } unknown)
                throw new CliException($"--part {unknown}: use one of {string.Join(", ", ModelBenchmark.Parts)}.");

            using var scope = torch.NewDisposeScope();
            using var mode = torch.no_grad();
            var precision = Precision.For(format.ToScalarType(), place);
            using var meter = new Meter(precision, times, onProcessorTime);
            var rows = new List<Measurement>();
            var title = trained?.Name ?? FormattableString.Invariant($"{source!.Name}, {pixels} x {pixels}");
            if (!parsed.GetValue(json)) PrintHead(terminal, title, format, precision, onProcessorTime);
            foreach (var row in trained is null ? new ModelBenchmark(source!, precision, pixels, meter).Run(wanted) : [trained.Run(meter, place)])
            {
                cancellation.ThrowIfCancellationRequested();
                rows.Add(row);
                if (!parsed.GetValue(json)) PrintRow(terminal, row);
            }
            rows.Add(meter.MatrixProduct);
            if (parsed.GetValue(json)) terminal.Output.WriteLine(Json.Text(Report(trained?.Name ?? source!.Name, format, precision, trained is null ? pixels : null, onProcessorTime, rows)));
            else PrintRow(terminal, meter.MatrixProduct);
        });
        return command;
    }

    private static void TimeRuns(Terminal terminal, ModelOptions options, int repeats, bool json, CancellationToken cancellation)
    {
        using var model = ModelSession.Load(terminal, options);
        var rows = new JsonArray();
        if (!json) terminal.Output.WriteLine($"{"milliseconds",-24}{"p50",10}{"p95",10}");
        foreach (var row in new RecipeBenchmark(model, repeats).Run(cancellation))
        {
            rows.Add(new JsonObject { ["what"] = row.What, ["p50"] = row.Median, ["p95"] = row.P95 });
            if (!json) terminal.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.What,-24}{row.Median,10:0.0}{row.P95,10:0.0}"));
        }
        if (json) terminal.Output.WriteLine(Json.Text(new JsonObject { ["model"] = model.Info.Name, ["runs"] = repeats, ["milliseconds"] = rows }));
    }

    private static void PrintHead(Terminal terminal, string name, Dtype format, Precision precision, bool onProcessorTime)
    {
        terminal.Output.WriteLine(FormattableString.Invariant($"{name}, {Word.Of(format)}, {precision.Device}, {torch.get_num_threads()} threads{(onProcessorTime ? " (processor time)" : "")}, libtorch {torch.__version__}"));
        terminal.Output.WriteLine($"{"part",-24}{"seconds",10}{"GFLOP",10}{"GFLOP/s",10}{"of product",12}");
    }

    private static void PrintRow(Terminal terminal, Measurement row) => terminal.Output.WriteLine(row.Share is { } share
        ? string.Create(CultureInfo.InvariantCulture, $"{row.Part,-24}{row.Seconds,10:0.0000}{row.GigaOperations,10:0.0}{row.Rate,10:0.0}{share,12:0 %}")
        : string.Create(CultureInfo.InvariantCulture, $"{row.Part,-24}{row.Seconds,10:0.0000}"));

    private static JsonObject Report(string name, Dtype format, Precision precision, int? pixels, bool onProcessorTime, IEnumerable<Measurement> rows) => new()
    {
        ["model"] = name,
        ["dtype"] = Word.Of(format),
        ["device"] = precision.Device.ToString(),
        ["threads"] = torch.get_num_threads(),
        ["clock"] = onProcessorTime ? "processor" : "wall",
        ["size"] = pixels,
        ["libtorch"] = torch.__version__,
        ["parts"] = new JsonArray([.. rows.Select(row => (JsonNode)new JsonObject
        {
            ["part"] = row.Part,
            ["seconds"] = row.Seconds,
            ["gflop"] = row.GigaOperations,
            ["gflopPerSecond"] = row.Share is null ? null : row.Rate,
            ["shareOfProduct"] = row.Share,
        })]),
    };
}
