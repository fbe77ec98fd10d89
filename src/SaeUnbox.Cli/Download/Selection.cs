using System.Text.RegularExpressions;

namespace SaeUnbox.Cli.Download;

/// <summary>Which files of a repository are wanted, and where they go.</summary>
/// <param name="Repository">OWNER/NAME on the hub.</param>
/// <param name="Folder">The folder under the target.</param>
/// <param name="Patterns">Paths to take; <c>*</c> stands for anything but a slash, <c>**</c> for anything.</param>
/// <param name="InsteadOf">
/// Where a file that ends so is there, its plain twin is left out: <c>.fp16.safetensors</c> makes <c>.safetensors</c> superfluous.
/// </param>
internal sealed record Selection(string Repository, string Folder, IReadOnlyList<string> Patterns, string? InsteadOf = null)
{
    private const string Weights = ".safetensors";

    /// <summary>SDXL Turbo in half precision: configurations, tokenizers, weights; nothing of other frameworks.</summary>
    public static Selection Model(string repository, bool half) => new(
        repository, repository.Split('/')[^1],
        ["model_index.json", "*/*.json", "tokenizer*/merges.txt", "*/*" + Weights],
        half ? ".fp16" + Weights : null);

    /// <summary>The demo's own autoencoders, k 10 and 5120 features, of all four sites.</summary>
    public static Selection Saes(string repository) => new(repository, repository.Split('/')[^1], ["*_k10_hidden5120_*/final/*"]);

    public static Selection All(string repository) => new(repository, repository.Split('/')[^1], ["**"]);

    public IReadOnlyList<HubFile> Choose(IReadOnlyList<HubFile> files)
    {
        var matched = files.Where(file => Patterns.Any(pattern => Matches(pattern, file.Path))).ToList();
        if (InsteadOf is not { } variant)
            return [.. matched.Where(file => !file.Path.EndsWith(".fp16" + Weights, StringComparison.Ordinal) || Patterns.Contains("**"))];
        var plain = matched.Where(file => file.Path.EndsWith(variant, StringComparison.Ordinal)).Select(file => file.Path[..^variant.Length] + Weights).ToHashSet();
        return [.. matched.Where(file => !plain.Contains(file.Path))];
    }

    // A path that climbs out of the folder is never taken, whatever the hub says.
    public static bool IsSafe(string path) =>
        path.Length > 0 && !Path.IsPathRooted(path) && !path.Contains('\\') && path.Split('/').All(part => part is not ("" or "." or ".."));

    private static bool Matches(string pattern, string path) => Regex.IsMatch(
        path, "^" + Regex.Escape(pattern).Replace(@"\*\*", ".*").Replace(@"\*", "[^/]*") + "$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
}
