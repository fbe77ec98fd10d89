namespace SaeUnbox.Models;

/// <summary>
/// Finds the weights in a model folder by the names that diffusers and transformers give them:
/// <c>STEM[.VARIANT].safetensors</c>, or the index of shards, in which library versions put the variant at different positions
/// (<c>STEM.safetensors.index.fp16.json</c>, <c>STEM.fp16.safetensors.index.json</c>).
/// </summary>
internal static class WeightFiles
{
    private const int MaxListed = 10;

    private static readonly string[] Stems = ["diffusion_pytorch_model", "model", "pytorch_model"];
    private static readonly string[] Variants = ["", "fp32", "fp16", "bf16"], HalfVariants = ["fp16", "", "fp32", "bf16"];

    /// <param name="folder">Holds the weights of one component.</param>
    /// <param name="preferHalf">Prefer the variant fp16 to plain weights.</param>
    /// <returns>The path of a file of weights or of an index.</returns>
    /// <exception cref="CheckpointException">The folder is missing or has no such file; the message names the files it has.</exception>
    public static string Find(string folder, bool preferHalf)
    {
        if (!Directory.Exists(folder))
            throw new CheckpointException($"The folder '{folder}' does not exist.");
        var names = Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal).ToList();
        var order = preferHalf ? HalfVariants : Variants;
        var best = names.Select(Candidate.Parse).OfType<Candidate>()
            .OrderBy(candidate => Rank(order, candidate.Variant)).ThenBy(candidate => candidate.Variant, StringComparer.Ordinal)
            .ThenBy(candidate => Rank(Stems, candidate.Stem)).ThenBy(candidate => candidate.IsPickle).ThenBy(candidate => candidate.IsIndex)
            .FirstOrDefault();
        return best is not null ? Path.Combine(folder, best.Name) : throw new CheckpointException(
            $"The folder '{folder}' holds no weights (such as diffusion_pytorch_model.safetensors or model.safetensors); "
            + $"{Describe(names)}.");
    }

    private static int Rank(string[] order, string value) => Array.IndexOf(order, value) is var rank and >= 0 ? rank : order.Length;

    private static string Describe(List<string> names)
    {
        if (names.Count == 0)
            return "there is no file in it";
        var listed = $"its files are {Listing.Shorten(names, MaxListed)}";
        return names.Exists(name => name.Contains("-of-", StringComparison.Ordinal))
            ? $"{listed}; the index of the shards is missing"
            : listed;
    }

    /// <summary>A file of weights, as far as its name says.</summary>
    private sealed record Candidate(string Name, string Stem, string Variant, bool IsPickle, bool IsIndex)
    {
        public static Candidate? Parse(string name)
        {
            if (name.Split('.') is not [var stem, .. var middle, var ending] || !Stems.Contains(stem))
                return null;
            var parts = middle.Append(ending).ToList();
            var isIndex = parts[^1] == "json" && parts.Remove("json") && parts.Remove("index");
            var isPickle = parts.Remove("bin");
            if (isPickle == parts.Remove("safetensors") || parts.Count > 1)
                return null;
            var isWhole = ending is "safetensors" or "bin";
            return isIndex || isWhole ? new Candidate(name, stem, string.Concat(parts), isPickle, isIndex) : null;
        }
    }
}
