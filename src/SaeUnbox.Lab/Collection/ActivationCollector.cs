using System.Text.Json;
using System.Text.Json.Serialization;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Runs a model on captions and stores what blocks add to their input, or what they return where the model's dictionary reads that. Sparse
/// autoencoders are trained on this data. The last step stops after the last site, and no picture is decoded.
/// </summary>
public static class ActivationCollector
{
    /// <summary>Fills a folder, and continues after the items that it already holds.</summary>
    /// <exception cref="SaeException">The request is invalid, or the folder holds another collection.</exception>
    /// <exception cref="ModelException">The model has no such site or cannot make such pictures.</exception>
    /// <exception cref="CheckpointException">The disk is full.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; all finished items are stored.</exception>
    public static CollectionOutcome Run(
        LoadedModel model, CollectionRequest request, string folder, Action<CollectionProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        request.Validate();
        model.UseThreads();
        foreach (var site in request.Sites)
            model.Model.ShapeOf(site);
        var (first, end) = (request.Share.First * (long)request.Steps, request.Share.End * (long)request.Steps);
        using var writer = new CollectionWriter(folder, request.Sites, request.Storage with { FirstItem = first });
        new CollectionSettings(model.Info.Name, model.Fingerprint, model.Dtype, request.Steps,
            request.Guidance > 1 ? request.Guidance : 0, request.Width, request.Height)
        {
            Outputs = [.. request.Sites.Where(site => ReadsOutput(model, site))],
        }.Claim(folder);
        CollectedCaptions.Claim(folder, request.Captions);

        using var mode = no_grad();
        try
        {
            while (writer.NextItem < end && !writer.IsFull)
            {
                Collect(model, request, writer, cancellation);
                progress?.Invoke(new(Done(), end - first, writer.BytesWritten));
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

    private static bool ReadsOutput(LoadedModel model, Site site) =>
        model.Saes.TryGetValue(site, out var dictionary) && dictionary.ReadsOutput;

    // Runs the next captions together, always the same ones, so that a run that continues stores the same numbers. Items that the writer
    // already has, or has no room for, are skipped, and so are those of other workers.
    private static void Collect(LoadedModel model, CollectionRequest request, CollectionWriter writer, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var next = (int)(writer.NextItem / request.Steps);
        var first = next - (next % request.Pictures);
        var captions = request.Captions.Skip(first).Take(request.Pictures).ToArray();
        var items = Differences(model, request, captions, cancellation).Index()
            .Select(one => (Item: (first * (long)request.Steps) + one.Index, Differences: one.Item))
            .TakeWhile(one => one.Item < request.Share.End * (long)request.Steps);
        foreach (var (item, differences) in items)
            if (item == writer.NextItem && !writer.IsFull)
                writer.Add(item, differences);
    }

    // Ordered by caption, then by step.
    private static IEnumerable<Dictionary<Site, Tensor>> Differences(
        LoadedModel model, CollectionRequest request, Caption[] captions, CancellationToken cancellation)
    {
        var network = model.Model;
        var last = network.Sites.Select(shape => shape.Site).LastOrDefault(request.Sites.Contains);
        // Open before the prompts are encoded.
        using var tap = new SiteTap(network, request.Sites, captions.Length, request.Guidance > 1, site => ReadsOutput(model, site));
        using var run = network.Begin(new ImageRequest
        {
            Prompts = [.. captions.Select(caption => caption.Text)],
            Seeds = [.. captions.Select(caption => caption.Seed)],
            Steps = request.Steps,
            Guidance = request.Guidance,
            Width = request.Width,
            Height = request.Height,
        });
        var steps = new List<Dictionary<Site, Tensor>[]>(request.Steps);
        if (last is null)
            return Current().SelectMany(picture => Enumerable.Repeat(picture, request.Steps));
        var latents = run.StartLatents();
        foreach (var step in run.Denoise(predict: Predict, cancellation: cancellation).Take(request.Steps - 1))
        {
            steps.Add(Current());
            latents = step.After;
        }

        var input = run.InputOf(request.Steps - 1, latents);
        tap.IsOpen = true;
        using (network.Run(input, [last], stop: true, cancellation))
            steps.Add(Current());
        return Enumerable.Range(0, captions.Length).SelectMany(picture => steps.Select(step => step[picture]));

        // Of a step that predicts twice, the first pass is kept.
        Tensor Predict(DenoisingInput given, CancellationToken token)
        {
            tap.IsOpen = !given.IsCorrection;
            return network.Run(given, [], cancellation: token).Output!;
        }

        Dictionary<Site, Tensor>[] Current() => [.. Enumerable.Range(0, captions.Length).Select(tap.Of)];
    }
}

/// <summary>
/// What to collect. Every step of a caption gives one item: item = caption * steps + step. With guidance only the conditional half is
/// stored.
/// </summary>
public sealed record CollectionRequest
{
    /// <summary>
    /// Any transformers of the U-Net, whether they have an autoencoder or not, and layers of the text encoder. If all are of the text
    /// encoder, the U-Net does not run.
    /// </summary>
    public required IReadOnlyList<Site> Sites { get; init; }

    public required IReadOnlyList<Caption> Captions { get; init; }

    public int Steps { get; init; } = 1;

    public double Guidance { get; init; }

    /// <summary>In pixels.</summary>
    public int Width { get; init; } = 512;

    /// <summary>In pixels.</summary>
    public int Height { get; init; } = 512;

    /// <summary>Pictures computed together.</summary>
    public int Pictures { get; init; } = 1;

    /// <summary>The number of this process among <see cref="Workers"/>, counted from 0.</summary>
    public int Worker { get; init; }

    /// <summary>Processes that fill the folder together, each with its own share of the captions.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>How activations are stored. The first item is set from the share.</summary>
    public CollectionOptions Storage { get; init; } = new();

    /// <summary>The captions of this process, First to End - 1.</summary>
    internal (int First, int End) Share =>
        ((int)((long)Captions.Count * Worker / Workers), (int)((long)Captions.Count * (Worker + 1) / Workers));

    /// <exception cref="SaeException">A number is out of range; the message names it.</exception>
    internal void Validate()
    {
        Require(Captions.Count > 0, "there are no captions");
        Require(Sites.Count > 0, "there are no sites");
        Require(Sites.Distinct().Count() == Sites.Count, "a site is named twice");
        Require(Steps is >= 1 and <= RecipeLimits.MaxSteps, $"{Steps} steps are requested, 1 to {RecipeLimits.MaxSteps} are allowed");
        Require(Pictures >= 1, $"{Pictures} pictures per batch are requested, at least 1 is needed");
        Require(Workers >= 1 && Worker >= 0 && Worker < Workers,
            $"worker {Worker} of {Workers} is requested, but workers are numbered 0 to {Workers - 1}");

        static void Require(bool holds, string why)
        {
            if (!holds)
                throw new SaeException($"Nothing can be collected: {why}.");
        }
    }
}

/// <summary>The progress of a worker.</summary>
/// <param name="Done">Items of its share that are stored or ready to be stored.</param>
/// <param name="Items">Items of its share.</param>
/// <param name="Bytes">Bytes in the folder.</param>
public readonly record struct CollectionProgress(long Done, long Items, long Bytes);

/// <summary>The result of a worker.</summary>
/// <param name="Done">Items of its share that are stored.</param>
/// <param name="Items">Items of its share.</param>
/// <param name="Bytes">Bytes in the folder.</param>
/// <param name="IsFull">Whether the disk budget was spent before the last item.</param>
public sealed record CollectionOutcome(long Done, long Items, long Bytes, bool IsFull);

/// <summary>The settings of a collection, stored as <c>collection.json</c> in its folder.</summary>
/// <param name="Weights">Fingerprint of the model; null if unknown.</param>
/// <param name="Dtype">The number format that the model ran in.</param>
/// <param name="Steps">Items of each caption.</param>
/// <param name="Guidance">0 without guidance.</param>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In pixels.</param>
public sealed record CollectionSettings(string Model, string? Weights, Dtype Dtype, int Steps, double Guidance, int Width, int Height)
{
    private const string FileName = "collection.json";

    /// <summary>Sites whose outputs are stored rather than output - input.</summary>
    public IReadOnlyList<Site> Outputs { get; init; } = [];

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>Reads the settings of a folder; null if it has none.</summary>
    /// <exception cref="SaeException">The file is broken.</exception>
    internal static CollectionSettings? Find(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            return null;
        try
        {
            return JsonSerializer.Deserialize<CollectionSettings>(File.ReadAllBytes(path), Json) ?? throw new JsonException("it is null");
        }
        catch (JsonException error)
        {
            throw new SaeException($"{path}: cannot be read ({error.Message}).", error);
        }
    }

    /// <summary>Stores the settings in a new folder, or checks that those of an existing collection are the same.</summary>
    /// <exception cref="SaeException">They differ; the message says how.</exception>
    internal void Claim(string folder)
    {
        if (Find(folder) is not { } there)
        {
            AtomicFile.WriteAllText(Path.Combine(folder, FileName), JsonSerializer.Serialize(this, Json) + "\n");
            return;
        }
        var differences = Fields().Zip(there.Fields()).Where(pair => pair.First != pair.Second)
            .Select(pair => $"{pair.Second.Name} {pair.Second.Value} and not {pair.First.Value}").ToArray();
        if (differences.Length > 0)
            throw new SaeException($"{folder}: was collected with {string.Join(", ", differences)}; choose another folder.");
    }

    private IEnumerable<(string Name, string Value)> Fields() =>
    [
        ("model", Model), ("weights", Weights ?? "unknown"), ("dtype", Names.Of(Dtype)), ("steps", $"{Steps}"),
        ("guidance", FormattableString.Invariant($"{Guidance}")), ("size", $"{Width} x {Height}"),
        ("outputs of", Outputs.Count == 0 ? "no site" : string.Join(", ", Outputs)),
    ];
}

/// <summary>Hooks that keep what sites added to their input, or returned, in the last pass.</summary>
internal sealed class SiteTap : IDisposable
{
    private readonly List<IDisposable> _hooks = [];
    private readonly Dictionary<Site, Tensor> _vectors = [];
    private readonly int _pictures;
    private readonly bool _isGuided;

    public SiteTap(ISteerableModel network, IReadOnlyList<Site> sites, int pictures, bool isGuided, Func<Site, bool> readsOutput)
    {
        (_pictures, _isGuided) = (pictures, isGuided);
        foreach (var site in sites)
            _hooks.Add(site.IsText
                ? network.HookText(site, (output, isNegative) => isNegative ? output : Keep(site, output))
                : network.Hook(site, (input, output) => Keep(site, readsOutput(site) ? null : input, output)));
    }

    /// <summary>Whether passes are kept.</summary>
    public bool IsOpen { get; set; } = true;

    /// <summary>
    /// The vectors of one picture for each site, [h, w, d] in float32 on the CPU; of a layer of the text encoder [1, L, d].
    /// </summary>
    public Dictionary<Site, Tensor> Of(int picture) => _vectors.ToDictionary(pair => pair.Key, pair => pair.Value[picture]);

    public void Dispose()
    {
        foreach (var hook in _hooks)
            hook.Dispose();
        foreach (var tensor in _vectors.Values)
            tensor.Dispose();
    }

    private Tensor Keep(Site site, Tensor? input, Tensor output)
    {
        if (!IsOpen)
            return output;
        using var scope = NewDisposeScope();
        var from = _isGuided ? _pictures : 0; // the unconditional half comes first
        var kept = output.narrow(0, from, _pictures);
        Store(site,
            input is null ? kept.to(ScalarType.Float32).permute(0, 2, 3, 1) : BlockEdit.Difference(input.narrow(0, from, _pictures), kept));
        return output;
    }

    // A layer of the text encoder: whole outputs [B, L, D], as a grid of one row.
    private Tensor Keep(Site site, Tensor output)
    {
        Store(site, output.to(ScalarType.Float32).unsqueeze(1));
        return output;
    }

    private void Store(Site site, Tensor values)
    {
        using var scope = NewDisposeScope();
        if (_vectors.Remove(site, out var last))
            last.Dispose();
        _vectors[site] = values.cpu().clone().DetachFromDisposeScope();
    }
}
