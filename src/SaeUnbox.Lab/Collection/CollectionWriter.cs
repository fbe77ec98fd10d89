using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Writes activations of several sites into shards, <c>FOLDER/SITE/items-FIRST-END.safetensors</c>. Files appear whole or
/// not at all, and a range of items counts as done when every site has it, so a killed run goes on at
/// <see cref="NextItem"/>. Ranges never overlap, whichever workers made them.
/// </summary>
public sealed class CollectionWriter : IDisposable
{
    private const double LargestHalf = 65504;

    private readonly string _folder;
    private readonly IReadOnlyList<HookSite> _sites;
    private readonly CollectionOptions _options;
    private readonly Dictionary<HookSite, List<Tensor>> _waiting;
    private readonly Dictionary<long, long> _done;
    private long _written;
    private long _shardStart;

    public CollectionWriter(string folder, IReadOnlyList<HookSite> sites, CollectionOptions? options = null)
    {
        _options = options ?? new CollectionOptions();
        _options.Validate();
        if (sites.Count == 0)
            throw new SaeException("A collection needs at least one site.");
        (_folder, _sites) = (folder, sites);
        _waiting = sites.ToDictionary(site => site, _ => new List<Tensor>());
        foreach (var site in sites)
            Files.CreateFolder(FolderOf(site));
        _written = BytesInFolder();
        _done = Done();
        NextItem = _shardStart = FirstMissing(_options.FirstItem);
    }

    /// <summary>The item wanted next: the first that no complete shard holds. It jumps where shards are there already.</summary>
    public long NextItem { get; private set; }

    /// <summary>Bytes in the folder.</summary>
    public long BytesWritten => _written;

    /// <summary>Whether the next shard would exceed the disk budget; nothing more is taken then.</summary>
    public bool IsFull { get; private set; }

    /// <summary>Takes the differences output - input of the next item, one [h, w, d] for each site.</summary>
    /// <exception cref="SaeException">The item is not the next, a site is missing, or the disk budget is spent.</exception>
    /// <exception cref="CheckpointException">The disk is full.</exception>
    public void Add(long item, IReadOnlyDictionary<HookSite, Tensor> differences)
    {
        if (IsFull)
            throw new SaeException($"{_folder}: the disk budget of {_options.DiskBudget} bytes is spent.");
        if (item != NextItem)
            throw new SaeException($"{_folder}: item {item} was given, {NextItem} is next.");
        foreach (var site in _sites)
        {
            if (!differences.TryGetValue(site, out var difference))
                throw new SaeException($"Item {item} lacks the activations of {site}.");
            _waiting[site].Add(Stored(difference, site, item));
        }

        NextItem++;
        if (NextItem - _shardStart >= _options.ItemsPerShard || _done.ContainsKey(NextItem))
            Flush();
    }

    /// <summary>Writes what is waiting; call at the end, or where a run is stopped.</summary>
    public void Complete()
    {
        if (NextItem > _shardStart)
            Flush();
    }

    /// <summary>Drops what is waiting: an interrupted run collects it again.</summary>
    public void Dispose() => Clear();

    private void Flush()
    {
        var size = _waiting.Values.Sum(list => list.Sum(tensor => tensor.numel() * tensor.element_size()));
        // Other workers write to the folder, too.
        if (_options.DiskBudget is { } budget && (_written = BytesInFolder()) + size > budget)
        {
            IsFull = true;
            NextItem = _shardStart;
            Clear();
            return;
        }

        foreach (var site in _sites)
        {
            using var scope = NewDisposeScope();
            var path = Path.Combine(FolderOf(site), ActivationShard.FileName(_shardStart, NextItem));
            SafetensorsWriter.Write(
                path,
                [new(ActivationShard.TensorName, stack([.. _waiting[site]]))],
                new Dictionary<string, string> { ["site"] = site.Code });
            _written += new FileInfo(path).Length;
            RemoveRemains(site, path);
        }

        _done[_shardStart] = NextItem;
        NextItem = _shardStart = FirstMissing(NextItem);
        Clear();
    }

    private Tensor Stored(Tensor difference, HookSite site, long item)
    {
        using var scope = NewDisposeScope();
        if (difference.shape.Length != 3)
            throw new SaeException($"Activations of {site} must be [h, w, d], not [{string.Join(", ", difference.shape)}].");
        var waiting = _waiting[site];
        if (waiting.Count > 0 && !waiting[0].shape.SequenceEqual(difference.shape))
            throw new SaeException(
                $"Item {item} at {site} is [{string.Join(", ", difference.shape)}], those before it "
                + $"[{string.Join(", ", waiting[0].shape)}]; one collection holds one size.");
        var largest = difference.abs().max().to(ScalarType.Float32).item<float>();
        if (!float.IsFinite(largest) || (_options.DType == ScalarType.Float16 && largest > LargestHalf))
            throw new SaeException($"Item {item} at {site} holds {largest}, which {_options.DType} cannot store.");
        return difference.cpu().to(_options.DType).clone().DetachFromDisposeScope();
    }

    // A run killed between two sites may have left this range under another length at the first of them.
    private void RemoveRemains(HookSite site, string written)
    {
        foreach (var path in Directory.EnumerateFiles(FolderOf(site)).Where(path => path != written).ToArray())
        {
            if (ActivationShard.ParseName(path) is { } range && range.First < NextItem && range.End > _shardStart)
                File.Delete(path);
        }
    }

    // First item to end, of the ranges that every site has.
    private Dictionary<long, long> Done() => _sites
        .Select(site => Directory.EnumerateFiles(FolderOf(site))
            .Select(ActivationShard.ParseName)
            .OfType<(long First, long End)>()
            .ToHashSet())
        .Aggregate((all, next) => [.. all.Intersect(next)])
        .GroupBy(range => range.First)
        .ToDictionary(group => group.Key, group => group.Max(range => range.End));

    private long FirstMissing(long item)
    {
        foreach (var (first, end) in _done.OrderBy(range => range.Key))
        {
            if (first <= item && item < end)
                item = end;
        }

        return item;
    }

    private long BytesInFolder() =>
        new DirectoryInfo(_folder).EnumerateFiles("*.safetensors", SearchOption.AllDirectories).Sum(file => file.Length);

    private string FolderOf(HookSite site) => Path.Combine(_folder, site.Code);

    private void Clear()
    {
        foreach (var list in _waiting.Values)
        {
            list.ForEach(tensor => tensor.Dispose());
            list.Clear();
        }
    }
}

/// <summary>How collected activations are stored.</summary>
public sealed record CollectionOptions
{
    /// <summary>Items (pictures and steps) in one file; what an interruption can lose.</summary>
    public int ItemsPerShard { get; init; } = 256;

    /// <summary>Type of the stored numbers: Float16, BFloat16 or Float32.</summary>
    public torch.ScalarType DType { get; init; } = torch.ScalarType.Float16;

    /// <summary>Most bytes the whole folder may take (workers side by side: a shard of each more); null: no bound.</summary>
    public long? DiskBudget { get; init; }

    /// <summary>The first item of this worker; workers of one folder take ranges that do not overlap.</summary>
    public long FirstItem { get; init; }

    internal void Validate()
    {
        if (ItemsPerShard < 1)
            throw new SaeException($"Collection option {nameof(ItemsPerShard)} is {ItemsPerShard}, it must be at least 1.");
        if (DType is not (torch.ScalarType.Float16 or torch.ScalarType.BFloat16 or torch.ScalarType.Float32))
            throw new SaeException($"Collection option {nameof(DType)} is {DType}, it must be Float16, BFloat16 or Float32.");
        if (FirstItem < 0)
            throw new SaeException($"Collection option {nameof(FirstItem)} is {FirstItem}, it must be at least 0.");
    }
}

/// <summary>The captions and seeds of a collection, <c>captions.jsonl</c> in its folder: line i belongs to caption i.</summary>
public static class CollectedCaptions
{
    private const string FileName = "captions.jsonl";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads them one by one; none where the folder has no such file.</summary>
    /// <exception cref="SaeException">A line is broken.</exception>
    public static IEnumerable<Caption> Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        return File.Exists(path) ? File.ReadLines(path).Select((line, index) => Parse(path, index, line)) : [];
    }

    /// <summary>Stores the captions, or checks that those there are the same; more may follow them.</summary>
    /// <exception cref="SaeException">The folder was collected from other captions or seeds.</exception>
    internal static void Claim(string folder, IReadOnlyList<Caption> captions)
    {
        var there = 0;
        foreach (var caption in Read(folder).Take(captions.Count))
        {
            if (caption != captions[there])
                throw new SaeException($"{folder}: was collected from other captions or seeds, the first is number {there}; give another folder.");
            there++;
        }
        if (there == captions.Count) return;
        AtomicFile.Write(Path.Combine(folder, FileName), stream =>
        {
            using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
            foreach (var caption in captions) writer.WriteLine(JsonSerializer.Serialize(caption, Json));
        });
    }

    private static Caption Parse(string path, int index, string line)
    {
        try
        {
            return JsonSerializer.Deserialize<Caption>(line, Json) is { Text: not null } caption ? caption : throw new JsonException("there is no text");
        }
        catch (JsonException error)
        {
            throw new SaeException($"{path}: line {index + 1} cannot be read ({error.Message}).", error);
        }
    }
}

/// <summary>A picture to collect from.</summary>
/// <param name="Text">The prompt.</param>
/// <param name="Seed">Seed of its noise, at least 0.</param>
public sealed record Caption(string Text, long Seed);
