using System.Text.Json;

namespace SaeUnbox.Models;

/// <summary>A set of files under an index (<c>model.safetensors.index.json</c>) whose <c>weight_map</c> says which file holds which tensor.</summary>
internal sealed class ShardedCheckpoint : Checkpoint
{
    private const long LongestIndex = 16 << 20;
    private const int MostShards = 1000;

    private readonly IReadOnlyList<Checkpoint> shards;

    private ShardedCheckpoint(string path, IReadOnlyList<Checkpoint> shards, IReadOnlyList<StoredTensor> tensors)
        : base(path, $"{shards.Count} shards of {shards[0].Format}", tensors, shards) => this.shards = shards;

    public static ShardedCheckpoint Open(SourceFile index)
    {
        var map = ReadMap(index);
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(index.Path))!;
        var shards = new Dictionary<string, Checkpoint>();
        try
        {
            var names = map.Values.Distinct().Order(StringComparer.Ordinal).ToList();
            if (names.Count is 0 or > MostShards) throw index.Broken($"it names {names.Count} shards");
            foreach (var shard in names)
                shards.Add(shard, Checkpoint.Open(System.IO.Path.Combine(folder, shard)));
            var missing = map.Where(pair => !shards[pair.Value].Entries.ContainsKey(pair.Key)).Select(pair => pair.Key).ToList();
            if (missing.Count > 0) throw index.Broken($"the shards lack tensors that it lists: {Listing.Of(missing)}");
            var extra = shards.SelectMany(shard => shard.Value.Entries.Keys.Where(name => map.GetValueOrDefault(name) != shard.Key)).ToList();
            if (extra.Count > 0) throw index.Broken($"the shards hold tensors that it does not list there: {Listing.Of(extra)}");
            var tensors = map.Select(pair => shards[pair.Value].Locate(pair.Key)).ToList();
            return new ShardedCheckpoint(index.Path, [.. shards.Values], tensors);
        }
        catch
        {
            foreach (var shard in shards.Values) shard.Dispose();
            throw;
        }
    }

    public override void Verify(Action<string, double>? progress = null)
    {
        foreach (var shard in shards) shard.Verify(progress);
    }

    private static Dictionary<string, string> ReadMap(SourceFile index)
    {
        if (index.Length > LongestIndex) throw index.Broken($"an index of {index.Length} bytes is too long");
        var bytes = new byte[index.Length];
        index.ReadExactly(0, bytes);
        try
        {
            using var json = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = 16, AllowDuplicateProperties = false });
            if (!json.RootElement.TryGetProperty("weight_map", out var map)) throw index.Broken("an index without weight_map");
            return map.EnumerateObject().ToDictionary(pair => pair.Name, pair => ShardName(index, pair.Value.GetString()));
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw index.Broken("its index is not the JSON object that the format asks for", exception);
        }
    }

    /// <summary>A shard lies beside its index, and is no index itself.</summary>
    private static string ShardName(SourceFile index, string? name) =>
        string.IsNullOrEmpty(name) || name != System.IO.Path.GetFileName(name) || name is "." or ".."
            || name.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
            ? throw index.Broken($"its index names the shard '{name}', which is no file beside it")
            : name;
}
