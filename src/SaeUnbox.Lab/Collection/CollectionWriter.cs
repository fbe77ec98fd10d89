using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Writes activations of several sites as shards, <c>FOLDER/SITE/items-FIRST-END.safetensors</c>. A shard appears only when it is complete,
/// and its items count as done when every site has them. A killed run continues at <see cref="NextItem"/>. Ranges never overlap, even
/// between workers.
/// </summary>
public sealed class CollectionWriter : IDisposable
{
    private const double LargestHalf = 65504;

    private readonly string _folder;
    private readonly IReadOnlyList<Site> _sites;
    private readonly CollectionOptions _options;
    private readonly Dictionary<Site, List<Tensor>> _waiting;
    private readonly Dictionary<long, long> _done;
    private long _written;
    private long _shardStart;

    public CollectionWriter(string folder, IReadOnlyList<Site> sites, CollectionOptions? options = null)
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

    /// <summary>The next item to add: the first that no shard holds. It skips items that are already stored.</summary>
    public long NextItem { get; private set; }

    /// <summary>Bytes of all shards in the folder.</summary>
    public long BytesWritten => _written;

    /// <summary>Whether the next shard would exceed the disk budget. Nothing more can be added then.</summary>
    public bool IsFull { get; private set; }

    /// <summary>Adds the next item.</summary>
    /// <param name="differences">Output - input of each site, [h, w, d].</param>
    /// <exception cref="SaeException">The item is not the next one, a site or a value is missing or wrong, or the disk budget is
    /// spent.</exception>
    /// <exception cref="CheckpointException">The disk is full.</exception>
    public void Add(long item, IReadOnlyDictionary<Site, Tensor> differences)
    {
        if (IsFull)
            throw new SaeException($"{_folder}: the disk budget of {_options.DiskBudget} bytes is spent.");
        if (item != NextItem)
            throw new SaeException($"{_folder}: item {item} was added, but {NextItem} is next.");
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

    /// <summary>Writes the items in memory. Call it at the end, or when a run is stopped.</summary>
    public void Complete()
    {
        if (NextItem > _shardStart)
            Flush();
    }

    /// <summary>Drops the items in memory; the next run collects them again.</summary>
    public void Dispose() => Clear();

    private void Flush()
    {
        var size = _waiting.Values.Sum(list => list.Sum(tensor => tensor.numel() * tensor.element_size()));
        // Counts again, because other workers write to the folder, too.
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
            DeleteOverlapping(site, path);
        }

        _done[_shardStart] = NextItem;
        NextItem = _shardStart = FirstMissing(NextItem);
        Clear();
    }

    private Tensor Stored(Tensor difference, Site site, long item)
    {
        using var scope = NewDisposeScope();
        if (difference.shape.Length != 3)
            throw new SaeException($"Activations of {site} must be [h, w, d], not [{string.Join(", ", difference.shape)}].");
        var waiting = _waiting[site];
        if (waiting.Count > 0 && !waiting[0].shape.SequenceEqual(difference.shape))
            throw new SaeException(
                $"Item {item} at {site} has shape [{string.Join(", ", difference.shape)}], but earlier items have "
                + $"[{string.Join(", ", waiting[0].shape)}]; all items of a collection need the same size.");
        var largest = difference.abs().max().to(ScalarType.Float32).item<float>();
        if (!float.IsFinite(largest) || (_options.Dtype == Dtype.Fp16 && largest > LargestHalf))
            throw new SaeException($"Item {item} at {site} contains {largest}, which {Names.Of(_options.Dtype)} cannot store.");
        return difference.cpu().to(_options.Dtype.ToScalarType()).clone().DetachFromDisposeScope();
    }

    // Deletes shards of other lengths, which a run leaves if it is killed after it wrote some of the sites.
    private void DeleteOverlapping(Site site, string written)
    {
        foreach (var path in Directory.EnumerateFiles(FolderOf(site)).Where(path => path != written).ToArray())
        {
            if (ActivationShard.ParseName(path) is { } range && range.First < NextItem && range.End > _shardStart)
                File.Delete(path);
        }
    }

    // The ranges that every site has, as first item and end.
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

    private string FolderOf(Site site) => Path.Combine(_folder, site.Code);

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
    /// <summary>Items in one file. A crash loses at most this many.</summary>
    public int ItemsPerShard { get; init; } = 128;

    /// <summary>Number format of the files.</summary>
    public Dtype Dtype { get; init; } = Dtype.Fp16;

    /// <summary>The most bytes that the folder may take, plus a shard for each other worker; null for no limit.</summary>
    public long? DiskBudget { get; init; }

    /// <summary>The first item of this worker.</summary>
    public long FirstItem { get; init; }

    internal void Validate()
    {
        if (ItemsPerShard < 1)
            throw new SaeException($"Collection option {nameof(ItemsPerShard)} is {ItemsPerShard}, it must be at least 1.");
        if (FirstItem < 0)
            throw new SaeException($"Collection option {nameof(FirstItem)} is {FirstItem}, it must be at least 0.");
    }
}

/// <summary>The captions and seeds of a collection, in <c>captions.jsonl</c> in its folder.</summary>
public static class CollectedCaptions
{
    private const string FileName = "captions.jsonl";

    private static readonly JsonSerializerOptions Json =
        new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads the captions in order; none if there is no such file.</summary>
    /// <exception cref="SaeException">A line is broken.</exception>
    public static IEnumerable<Caption> Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        return File.Exists(path) ? File.ReadLines(path).Select((line, index) => Parse(path, index, line)) : [];
    }

    /// <summary>Stores the captions, or checks that existing ones are the same. New ones may follow them.</summary>
    /// <exception cref="SaeException">The folder holds other captions or seeds.</exception>
    internal static void Claim(string folder, IReadOnlyList<Caption> captions)
    {
        var there = 0;
        foreach (var caption in Read(folder).Take(captions.Count))
        {
            if (caption != captions[there])
                throw new SaeException(
                    $"{folder}: was collected from other captions or seeds (caption {there} differs); choose another folder.");
            there++;
        }
        if (there == captions.Count)
            return;
        AtomicFile.Write(Path.Combine(folder, FileName), stream =>
        {
            using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
            foreach (var caption in captions)
                writer.WriteLine(JsonSerializer.Serialize(caption, Json));
        });
    }

    private static Caption Parse(string path, int index, string line)
    {
        try
        {
            return JsonSerializer.Deserialize<Caption>(line, Json) is { Text: not null } caption
                ? caption
                : throw new JsonException("there is no text");
        }
        catch (JsonException error)
        {
            throw new SaeException($"{path}, line {index + 1}: cannot be read ({error.Message}).", error);
        }
    }
}

/// <summary>A prompt and the seed of its noise, which is at least 0.</summary>
public sealed record Caption(string Text, long Seed);
