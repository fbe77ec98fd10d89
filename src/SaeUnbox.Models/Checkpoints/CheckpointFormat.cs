namespace SaeUnbox.Models;

/// <summary>Tells the containers apart and knows how model folders name their weights.</summary>
internal static class CheckpointFormat
{
    private static readonly string[] Stems = ["diffusion_pytorch_model", "model", "pytorch_model"];

    /// <summary>By the first bytes: names lie, and a page of HTML or a pointer of git-lfs saved as weights gets its own words.</summary>
    public static Checkpoint Open(SourceFile file)
    {
        if (file.Length == 0) throw file.Broken("it is empty");
        Span<byte> head = stackalloc byte[16];
        head = head[..(int)Math.Min(head.Length, file.Length)];
        file.ReadExactly(0, head);

        // A header's length is below 2^32, so it ends in four zeros; no PyTorch file has them there.
        if (head.Length > 8 && head[8] == '{' && !head[4..8].ContainsAnyExcept((byte)0)) return SafetensorsFile.Open(file);
        if (head.StartsWith("PK\u0003\u0004"u8)) return TorchFile.OpenZip(file);
        if (head[0] == 0x80 && file.Length > 1 && head[1] is >= 2 and <= 5) return TorchFile.OpenLegacy(file);
        if (file.Path.EndsWith(".json", StringComparison.OrdinalIgnoreCase)) return OpenIndex(file);
        if (head.StartsWith("version https://"u8)) throw file.Broken("it is a pointer of git-lfs, not the file itself; fetch the file");
        if (head[0] == '<') throw file.Broken("it is a page of HTML, not a checkpoint; download it again");
        if (file.Path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase)) return SafetensorsFile.Open(file);
        throw file.Broken("it is neither a safetensors file nor a PyTorch file");
    }

    /// <summary>The path of a folder's weights; see <see cref="Checkpoint.OpenFolder"/>.</summary>
    public static string FindWeights(string folder, bool preferHalf)
    {
        if (!Directory.Exists(folder)) throw new CheckpointException($"The folder '{folder}' does not exist.");
        var candidates =
            from variant in preferHalf ? new[] { ".fp16", "" } : ["", ".fp16"]
            from stem in Stems
            from name in Names(stem, variant)
            select Path.Combine(folder, name);
        return candidates.FirstOrDefault(File.Exists)
            ?? throw new CheckpointException($"The folder '{folder}' holds no weights (such as diffusion_pytorch_model.safetensors or model.safetensors).");
    }

    // Libraries of different age put the variant of an index in different places.
    private static IEnumerable<string> Names(string stem, string variant) =>
    [
        $"{stem}{variant}.safetensors", $"{stem}{variant}.safetensors.index.json", $"{stem}.safetensors.index{variant}.json",
        $"{stem}{variant}.bin", $"{stem}{variant}.bin.index.json", $"{stem}.bin.index{variant}.json",
    ];

    private static ShardedCheckpoint OpenIndex(SourceFile file)
    {
        using (file) return ShardedCheckpoint.Open(file);
    }
}
