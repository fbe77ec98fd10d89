using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// A checkpoint open for reading: one file or a set of shards. Opening checks the header; tensors are then read one by one, directly into
/// their destination. Dispose it when the weights are loaded.
/// </summary>
public abstract class Checkpoint : IWeightSource, IDisposable
{
    private readonly Dictionary<string, StoredTensor> _tensors = [];
    private readonly IReadOnlyList<IDisposable> _owned;

    private protected Checkpoint(string path, string format, IReadOnlyList<StoredTensor> tensors, IReadOnlyList<IDisposable> owned)
    {
        (Path, Format, _owned) = (path, format, owned);
        foreach (var tensor in tensors)
            _tensors.Add(tensor.Entry.Name, tensor);
        Entries = new EntriesView(_tensors);
    }

    public string Path { get; }

    /// <summary>The container format: "safetensors", "PyTorch zip", "PyTorch legacy" or a number of shards.</summary>
    public string Format { get; }

    /// <summary>All tensors by full name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Entries { get; }

    /// <summary>The metadata of a safetensors file.</summary>
    public virtual IReadOnlyDictionary<string, string> Metadata => System.Collections.ObjectModel.ReadOnlyDictionary<string, string>.Empty;

    IEnumerable<string> IWeightSource.Names => Entries.Keys;

    string IWeightSource.Description => $"'{Path}'";

    /// <summary>
    /// Opens a safetensors file, an index of shards, or a PyTorch file (as data only). The first bytes determine the format.
    /// </summary>
    /// <exception cref="CheckpointException">The file is missing, of another format, or broken.</exception>
    public static Checkpoint Open(string path)
    {
        var file = SourceFile.Open(path);
        try
        {
            return CheckpointFormat.Open(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Opens the weights of a model folder, by the file names of diffusers and transformers. A variant (<c>.fp16.</c>, <c>.bf16.</c>) is
    /// opened if it is the only one; <c>.fp16.</c> also if it is preferred.
    /// </summary>
    /// <exception cref="CheckpointException">The folder holds no weights.</exception>
    public static Checkpoint OpenFolder(string folder, bool preferHalf = false) => Open(WeightFiles.Find(folder, preferHalf));

    /// <summary>Reads a tensor into <paramref name="target"/>, and converts its type. The target may have any strides and device.</summary>
    /// <exception cref="CheckpointException">There is no such tensor, its shape differs, or its data is broken.</exception>
    public void Read(string name, torch.Tensor target) => TensorReader.Read(Locate(name), target);

    /// <summary>
    /// Reads a tensor as a new CPU tensor of the stored type and memory order (a column-major matrix stays column-major). A weight that a
    /// LoRA changes is float32.
    /// </summary>
    public torch.Tensor Read(string name)
    {
        var stored = Locate(name);
        var shape = stored.Entry.Shape;
        var strides = StoredTensor.DenseOrder(shape, stored.Strides) is null ? StoredTensor.RowMajor(shape) : stored.Strides;
        var target = torch.empty_strided(shape, strides,
            dtype: stored.Change is null ? TensorReader.TypeOf(stored) : torch.float32);
        try
        {
            TensorReader.Read(stored, target);
            return target;
        }
        catch
        {
            target.Dispose();
            throw;
        }
    }

    /// <summary>Verifies all checksums, in formats that have them.</summary>
    /// <param name="progress">Called before each tensor with its file and the fraction done. An exception from it stops the check.</param>
    /// <exception cref="CheckpointException">A checksum does not match.</exception>
    public virtual void Verify(Action<string, double>? progress = null)
    {
        var done = 0;
        foreach (var tensor in _tensors.Values)
        {
            progress?.Invoke(Path, (double)done++ / _tensors.Count);
            tensor.Verify?.Invoke();
        }
    }

    StoredTensor? IWeightSource.FindStored(string name) => _tensors.GetValueOrDefault(name);

    bool IWeightSource.TryFind(string name, [MaybeNullWhen(false)] out TensorEntry entry) => Entries.TryGetValue(name, out entry);

    public void Dispose()
    {
        foreach (var resource in _owned)
            resource.Dispose();
    }

    internal StoredTensor Locate(string name) => _tensors.TryGetValue(name, out var stored)
        ? stored : throw new CheckpointException($"'{Path}' has no tensor '{name}'.");

    /// <summary>A view of the entries that avoids a second dictionary.</summary>
    private sealed class EntriesView(Dictionary<string, StoredTensor> tensors) : IReadOnlyDictionary<string, TensorEntry>
    {
        public TensorEntry this[string key] => tensors[key].Entry;
        public IEnumerable<string> Keys => tensors.Keys;
        public IEnumerable<TensorEntry> Values => tensors.Values.Select(tensor => tensor.Entry);
        public int Count => tensors.Count;
        public bool ContainsKey(string key) => tensors.ContainsKey(key);

        public bool TryGetValue(string key, [MaybeNullWhen(false)] out TensorEntry value)
        {
            var found = tensors.TryGetValue(key, out var stored);
            value = stored?.Entry;
            return found;
        }

        public IEnumerator<KeyValuePair<string, TensorEntry>> GetEnumerator() =>
            tensors.Select(pair => KeyValuePair.Create(pair.Key, pair.Value.Entry)).GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}

/// <summary>A set of files with an index (<c>model.safetensors.index.json</c>), whose <c>weight_map</c> maps tensors to files.</summary>
internal sealed class ShardedCheckpoint : Checkpoint
{
    private const long MaxIndexLength = 16 << 20;
    private const int MaxShards = 1000;

    private readonly IReadOnlyList<Checkpoint> _shards;

    private ShardedCheckpoint(string path, IReadOnlyList<Checkpoint> shards, IReadOnlyList<StoredTensor> tensors)
        : base(path, $"{shards.Count} shards of {shards[0].Format}", tensors, shards) => _shards = shards;

    public static ShardedCheckpoint Open(SourceFile index)
    {
        var map = ReadMap(index);
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(index.Path))!;
        var shards = new Dictionary<string, Checkpoint>();
        try
        {
            var names = map.Values.Distinct().Order(StringComparer.Ordinal).ToList();
            if (names.Count is 0 or > MaxShards)
                throw index.Broken($"it lists {names.Count} shards; 1 to {MaxShards} are allowed");
            foreach (var shard in names)
                shards.Add(shard, Checkpoint.Open(System.IO.Path.Combine(folder, shard)));
            var missing = map.Where(pair => !shards[pair.Value].Entries.ContainsKey(pair.Key)).Select(pair => pair.Key).ToList();
            if (missing.Count > 0)
                throw index.Broken($"the shards lack tensors that it lists: {Listing.Shorten(missing)}");
            var extra = shards
                .SelectMany(shard => shard.Value.Entries.Keys.Where(name => map.GetValueOrDefault(name) != shard.Key)).ToList();
            if (extra.Count > 0)
                throw index.Broken($"the shards hold tensors that it does not list there: {Listing.Shorten(extra)}");
            var tensors = map.Select(pair => shards[pair.Value].Locate(pair.Key)).ToList();
            return new ShardedCheckpoint(index.Path, [.. shards.Values], tensors);
        }
        catch
        {
            foreach (var shard in shards.Values)
                shard.Dispose();
            throw;
        }
    }

    public override void Verify(Action<string, double>? progress = null)
    {
        foreach (var shard in _shards)
            shard.Verify(progress);
    }

    private static Dictionary<string, string> ReadMap(SourceFile index)
    {
        if (index.Length > MaxIndexLength)
            throw index.Broken($"an index of {index.Length} bytes is too long");
        var bytes = new byte[index.Length];
        index.ReadExactly(0, bytes);
        try
        {
            using var json = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = 16, AllowDuplicateProperties = false });
            if (!json.RootElement.TryGetProperty("weight_map", out var map))
                throw index.Unsupported("it is a configuration or another JSON, not an index of shards, which has a weight_map");
            return map.EnumerateObject().ToDictionary(pair => pair.Name, pair => ShardName(index, pair.Value.GetString()));
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw index.Broken("its index is not the JSON object that the format requires", exception);
        }
    }

    /// <summary>A shard must be a file next to its index, and not an index itself.</summary>
    private static string ShardName(SourceFile index, string? name) =>
        string.IsNullOrEmpty(name) || name != System.IO.Path.GetFileName(name) || name is "." or ".."
            || name.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
            ? throw index.Broken($"its index names the shard '{name}', which is not a file next to it")
            : name;
}

/// <summary>Detects container formats.</summary>
internal static class CheckpointFormat
{
    /// <summary>
    /// Detects the format by the first bytes, because extensions may be wrong. Names what other files are (<see cref="ForeignFile"/>).
    /// </summary>
    public static Checkpoint Open(SourceFile file)
    {
        if (file.Length == 0)
            throw file.Broken("it is empty");
        Span<byte> head = stackalloc byte[ForeignFile.HeadLength];
        head = head[..(int)Math.Min(head.Length, file.Length)];
        file.ReadExactly(0, head);

        // The length of a safetensors header is below 2^32, so its upper four bytes are 0. PyTorch files have no zeros there.
        if (head.Length > 8 && head[8] == '{' && !head[4..8].ContainsAnyExcept((byte)0))
            return SafetensorsFile.Open(file);
        if (head.StartsWith("PK\u0003\u0004"u8))
            return TorchFile.OpenZip(file);
        if (head[0] == 0x80 && file.Length > 1 && head[1] is >= 2 and <= 5)
            return TorchFile.OpenLegacy(file);
        if (file.Path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
            return OpenIndex(file);
        if (ForeignFile.Explain(head) is { } explained)
            throw file.Unsupported(explained);
        if (file.Path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
            return SafetensorsFile.Open(file);
        throw file.Unsupported("it is neither a safetensors file nor a PyTorch file, nor of another kind that is known here");
    }

    private static ShardedCheckpoint OpenIndex(SourceFile file)
    {
        using (file)
            return ShardedCheckpoint.Open(file);
    }
}

/// <summary>
/// A checkpoint cannot be read or written, or does not fit its model. The message names the file and the problem in one sentence.
/// </summary>
public sealed class CheckpointException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Tensors of an open checkpoint under other names, and as slices, transposes or reshapes of what is stored. It copies nothing: each tensor
/// is read from its place in the file.
/// </summary>
/// <param name="checkpoint">The file. The view does not own it.</param>
/// <param name="owner">Disposed with the view; null for nothing.</param>
internal sealed class CheckpointView(Checkpoint checkpoint, IReadOnlyList<StoredTensor> tensors, IDisposable? owner = null)
    : Checkpoint(checkpoint.Path, checkpoint.Format, tensors, owner is null ? [] : [owner])
{
    /// <summary>The same view, which disposes an owner of the file with itself.</summary>
    public CheckpointView Owning(IDisposable resource) => new(checkpoint, [.. Entries.Keys.Select(Locate)], resource);

    public override IReadOnlyDictionary<string, string> Metadata => checkpoint.Metadata;
}

/// <summary>Describes parts and other forms of a stored tensor.</summary>
internal static class StoredTensorForms
{
    public static StoredTensor Named(this StoredTensor stored, string name) => stored with { Entry = stored.Entry with { Name = name } };

    /// <summary>Rows from <paramref name="first"/> on: [R, …] to [count, …].</summary>
    public static StoredTensor Rows(this StoredTensor stored, long first, long count) => stored with
    {
        Entry = stored.Entry with { Shape = [count, .. stored.Entry.Shape[1..]] },
        Position = stored.Position + first * stored.Strides[0] * stored.Entry.Element.Bytes,
    };

    /// <summary>[A, B] to [B, A].</summary>
    public static StoredTensor Transposed(this StoredTensor stored) => stored with
    {
        Entry = stored.Entry with { Shape = [stored.Entry.Shape[1], stored.Entry.Shape[0]] },
        Strides = [stored.Strides[1], stored.Strides[0]],
    };

    /// <summary>The kernel of a 1x1 convolution as a matrix: [A, B, 1, 1] to [A, B]. Other shapes stay as they are.</summary>
    public static StoredTensor AsMatrix(this StoredTensor stored) => stored.Entry.Shape is [_, _, 1, 1]
        ? stored with { Entry = stored.Entry with { Shape = stored.Entry.Shape[..2] }, Strides = stored.Strides[..2] }
        : stored;
}
