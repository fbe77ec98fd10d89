using System.Text.RegularExpressions;

namespace SaeUnbox.Cli.Download;

/// <summary>The files to download from a repository, and where to put them.</summary>
/// <param name="Repository">OWNER/NAME on the hub.</param>
/// <param name="Folder">Folder under the target.</param>
/// <param name="Patterns">Paths to download; <c>*</c> matches anything except a slash, <c>**</c> matches anything.</param>
/// <param name="Precision">Which file to download if weights exist in both float32 and half precision.</param>
internal sealed record Selection(string Repository, string Folder, IReadOnlyList<string> Patterns, WeightPrecision Precision = WeightPrecision.Any)
{
    private const string Weights = ".safetensors";
    private const string HalfWeights = ".fp16" + Weights;

    /// <summary>An SDXL pipeline: configurations, tokenizers and weights, without the files of other frameworks.</summary>
    public static Selection Model(string repository, bool half) => new(
        repository, NameOf(repository),
        ["model_index.json", "*/*.json", "tokenizer*/merges.txt", "*/*" + Weights],
        half ? WeightPrecision.Half : WeightPrecision.Full);

    /// <summary>The autoencoders of the original demo for all four sites, with k = 10 and 5120 features.</summary>
    public static Selection Saes(string repository) => new(repository, NameOf(repository), ["unet.*_k10_hidden5120_*/final/*"]);

    /// <summary>An AutoencoderTiny, in the folder where it is found next to a model.</summary>
    public static Selection TinyVae(string repository) =>
        new(repository, "vae_tiny", ["config.json", "diffusion_pytorch_model" + Weights, "diffusion_pytorch_model" + HalfWeights], WeightPrecision.Full);

    public static Selection All(string repository) => new(repository, NameOf(repository), ["**"]);

    public IReadOnlyList<HubFile> Choose(IReadOnlyList<HubFile> files)
    {
        var matched = files.Where(file => Patterns.Any(pattern => Matches(pattern, file.Path))).ToList();
        if (Precision == WeightPrecision.Any) return matched;
        // NAME.safetensors and NAME.fp16.safetensors are the same weights. If only one exists, it is downloaded.
        var both = matched.Select(file => file.Path).Where(IsHalf).Select(Plain).Intersect(matched.Select(file => file.Path)).ToHashSet();
        return [.. matched.Where(file => IsHalf(file.Path)
            ? Precision == WeightPrecision.Half || !both.Contains(Plain(file.Path))
            : Precision == WeightPrecision.Full || !both.Contains(file.Path))];
    }

    // Rejects paths that would leave the target folder.
    public static bool IsSafe(string path) =>
        path.Length > 0 && !Path.IsPathRooted(path) && !path.Contains('\\') && !path.Any(char.IsControl)
        && path.Split('/').All(part => part is not ("" or "." or ".."));

    private static bool IsHalf(string path) => path.EndsWith(HalfWeights, StringComparison.Ordinal);

    private static string Plain(string path) => path[..^HalfWeights.Length] + Weights;

    private static string NameOf(string repository) => repository.Split('/')[^1];

    private static bool Matches(string pattern, string path) => Regex.IsMatch(
        path, "^" + Regex.Escape(pattern).Replace(@"\*\*", ".*").Replace(@"\*", "[^/]*") + @"\z", RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.NonBacktracking);
}

internal enum WeightPrecision
{
    Any,
    Half,
    Full,
}
