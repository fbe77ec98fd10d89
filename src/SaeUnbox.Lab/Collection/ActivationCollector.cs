using System.Text.Json.Serialization;
using System.Text.Json;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Runs a model on captions and keeps what blocks add to their input: the data that sparse autoencoders are trained on. In the
/// last step nothing behind the last wanted site is computed, and nothing is ever decoded.
/// </summary>
public static class ActivationCollector
{
    /// <summary>Fills a folder, going on behind what it holds already.</summary>
    /// <exception cref="SaeException">The request cannot be made, or the folder holds another collection.</exception>
    /// <exception cref="ModelException">The model has no such site or cannot make such pictures.</exception>
    /// <exception cref="CheckpointException">The disk is full.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; every finished item is stored.</exception>
    public static CollectionOutcome Run(
        LoadedModel model, CollectionRequest request, string folder, IProgress<CollectionProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        request.Validate();
        model.UseThreads();
        foreach (var site in request.Sites) model.Model.ShapeOf(site);
        var (first, end) = (request.Share.First * (long)request.Steps, request.Share.End * (long)request.Steps);
        using var writer = new CollectionWriter(folder, request.Sites, request.Storage with { FirstItem = first });
        new CollectionSettings(
            model.Info.Name, model.Fingerprint, model.Dtype, request.Steps, request.Guidance > 1 ? request.Guidance : 0, request.Width, request.Height).Claim(folder);
        CollectedCaptions.Claim(folder, request.Captions);

        using var mode = no_grad();
        try
        {
            while (writer.NextItem < end && !writer.IsFull)
            {
                Collect(model, request, writer, cancellation);
                progress?.Report(new(Done(), end - first, writer.BytesWritten));
            }
        }
        catch (OperationCanceledException)
        {
            writer.Complete();
            throw;
        }
        writer.Complete();
        return new CollectionOutcome(Done(), end - first, writer.BytesWritten, writer.IsFull);

        long Done() => Math.Min(writer.NextItem, end) - first;
    }

    // The next few captions together. What the writer has already, or has no room for, is passed over.
    private static void Collect(LoadedModel model, CollectionRequest request, CollectionWriter writer, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var next = (int)(writer.NextItem / request.Steps);
        var captions = request.Captions.Skip(next).Take(Math.Min(request.Pictures, request.Share.End - next)).ToArray();
        var items = Differences(model, request, captions, cancellation);
        foreach (var (item, differences) in items.Select((differences, index) => (next * (long)request.Steps + index, differences)))
            if (item == writer.NextItem && !writer.IsFull) writer.Add(item, differences);
    }

    // Ordered by caption, then by step.
    private static IEnumerable<Dictionary<HookSite, Tensor>> Differences(
        LoadedModel model, CollectionRequest request, Caption[] captions, CancellationToken cancellation)
    {
        var network = model.Model;
        var last = network.Sites.Select(shape => shape.Site).Last(request.Sites.Contains);
        using var run = network.Begin(new ImageRequest
        {
            Prompts = [.. captions.Select(caption => caption.Text)],
            Seeds = [.. captions.Select(caption => caption.Seed)],
            Steps = request.Steps,
            Guidance = request.Guidance,
            Width = request.Width,
            Height = request.Height,
        });
        using var tap = new SiteTap(network, request.Sites, captions.Length, run.Request.IsGuided);
        var steps = new List<Dictionary<HookSite, Tensor>[]>(request.Steps);
        var latents = run.StartLatents();
        foreach (var step in run.Denoise(cancellation: cancellation).Take(request.Steps - 1))
        {
            steps.Add(Taken());
            latents = step.After;
        }

        var input = run.InputOf(request.Steps - 1, latents);
        using (network.Run(input, [last], stop: true, cancellation)) steps.Add(Taken());
        return Enumerable.Range(0, captions.Length).SelectMany(picture => steps.Select(step => step[picture]));

        Dictionary<HookSite, Tensor>[] Taken() => [.. Enumerable.Range(0, captions.Length).Select(tap.Of)];
    }
}

/// <summary>
/// What to collect. Every caption gives one item a step: item = caption * steps + step. Under guidance only the conditional half is
/// kept.
/// </summary>
public sealed record CollectionRequest
{
    /// <summary>Any transformers of the U-Net, with an autoencoder or without.</summary>
    public required IReadOnlyList<HookSite> Sites { get; init; }

    public required IReadOnlyList<Caption> Captions { get; init; }

    public int Steps { get; init; } = 1;

    public double Guidance { get; init; }

    /// <summary>In pixels.</summary>
    public int Width { get; init; } = 512;

    /// <summary>In pixels.</summary>
    public int Height { get; init; } = 512;

    /// <summary>Pictures that go through the U-Net together.</summary>
    public int Pictures { get; init; } = 1;

    /// <summary>Which share of the captions this process takes, from 0.</summary>
    public int Worker { get; init; }

    /// <summary>Processes that fill one folder side by side, each with a share of its own.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>How it is stored; the first item is the worker's.</summary>
    public CollectionOptions Storage { get; init; } = new();

    /// <summary>The worker's captions: the first, and the one behind the last.</summary>
    internal (int First, int End) Share => ((int)((long)Captions.Count * Worker / Workers), (int)((long)Captions.Count * (Worker + 1) / Workers));

    /// <exception cref="SaeException">A number is out of range; the message names it.</exception>
    internal void Validate()
    {
        Require(Captions.Count > 0, "there are no captions");
        Require(Sites.Count > 0, "there are no sites");
        Require(Sites.Distinct().Count() == Sites.Count, "a site is named twice");
        Require(Steps is >= 1 and <= RecipeLimits.MaxSteps, $"{Steps} steps are wanted, 1 to {RecipeLimits.MaxSteps} can be made");
        Require(Pictures >= 1, $"{Pictures} pictures together are wanted, 1 at least can be made");
        Require(Workers >= 1 && Worker >= 0 && Worker < Workers, $"worker {Worker} of {Workers} is wanted, there are 0 to {Workers - 1}");

        static void Require(bool holds, string why)
        {
            if (!holds) throw new SaeException($"Nothing can be collected: {why}.");
        }
    }
}

/// <summary>How far a worker is.</summary>
/// <param name="Done">Items of its share that are stored or waiting to be.</param>
/// <param name="Items">Items of its share.</param>
/// <param name="Bytes">Bytes in the folder.</param>
public readonly record struct CollectionProgress(long Done, long Items, long Bytes);

/// <summary>What a worker did.</summary>
/// <param name="Done">Items of its share that are stored.</param>
/// <param name="Items">Items of its share.</param>
/// <param name="Bytes">Bytes in the folder.</param>
/// <param name="IsFull">The disk budget was spent before the last item.</param>
public sealed record CollectionOutcome(long Done, long Items, long Bytes, bool IsFull);

/// <summary>What all items of a collection have in common, as <c>collection.json</c> in its folder says.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Weights">The model's fingerprint; null where it was not kept.</param>
/// <param name="Dtype">The numbers it ran in.</param>
/// <param name="Steps">Items of each caption.</param>
/// <param name="Guidance">0 where there was none.</param>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In pixels.</param>
public sealed record CollectionSettings(string Model, string? Weights, Dtype Dtype, int Steps, double Guidance, int Width, int Height)
{
    private const string FileName = "collection.json";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) 
    {
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>Reads a collection's settings; null where the folder has none.</summary>
    /// <exception cref="SaeException">The file is broken.</exception>
    public static CollectionSettings? Find(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) return null;
        try
        {
            return JsonSerializer.Deserialize<CollectionSettings>(File.ReadAllBytes(path), Json) ?? throw new JsonException("it holds null");
        }
        catch (JsonException error)
        {
            throw new SaeException($"{path}: cannot be read ({error.Message}).", error);
        }
    }

    /// <summary>Makes a folder a collection with these settings, or checks that it is one.</summary>
    /// <exception cref="SaeException">It was collected with others; the message names them.</exception>
    internal void Claim(string folder)
    {
        if (Find(folder) is not { } there)
        {
            AtomicFile.WriteAllText(Path.Combine(folder, FileName), JsonSerializer.Serialize(this, Json) + "\n");
            return;
        }
        var differences = Fields().Zip(there.Fields()).Where(pair => pair.First != pair.Second)
            .Select(pair => $"{pair.Second.Name} {pair.Second.Value} and not {pair.First.Value}").ToArray();
        if (differences.Length > 0) throw new SaeException($"{folder}: was collected with {string.Join(", ", differences)}; give another folder.");
    }

    private IEnumerable<(string Name, string Value)> Fields() =>
    [
        ("model", Model), ("weights", Weights ?? "unknown"), ("dtype", Names.Of(Dtype)), ("steps", $"{Steps}"),
        ("guidance", FormattableString.Invariant($"{Guidance}")), ("size", $"{Width} x {Height}"),
    ];
}

/// <summary>Hooks that keep what sites add to their input, of the last pass, until disposed.</summary>
internal sealed class SiteTap : IDisposable
{
    private readonly List<IDisposable> hooks = [];
    private readonly Dictionary<HookSite, Tensor> differences = [];
    private readonly int pictures;
    private readonly bool guided;

    public SiteTap(ISteerableModel network, IReadOnlyList<HookSite> sites, int pictures, bool guided)
    {
        (this.pictures, this.guided) = (pictures, guided);
        foreach (var site in sites) hooks.Add(network.Hook(site, (input, output) => Keep(site, input, output)));
    }

    /// <summary>output - input of one picture, [h, w, d] float32 on the CPU, in the caller's dispose scope.</summary>
    public Dictionary<HookSite, Tensor> Of(int picture) => differences.ToDictionary(pair => pair.Key, pair => pair.Value[picture]);

    public void Dispose()
    {
        foreach (var hook in hooks) hook.Dispose();
        foreach (var tensor in differences.Values) tensor.Dispose();
    }

    private Tensor Keep(HookSite site, Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var (from, count) = guided ? (pictures, pictures) : (0, pictures);
        var difference = BlockEdit.Difference(input.narrow(0, from, count), output.narrow(0, from, count));
        if (differences.Remove(site, out var last)) last.Dispose();
        differences[site] = difference.cpu().DetachFromDisposeScope();
        return output;
    }
}
