using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;

namespace SaeUnbox.Steering;

/// <summary>The sparse autoencoders of a model, at most one per site.</summary>
public sealed class SaeSet : IReadOnlyDictionary<Site, IFeatureDictionary>, IDisposable
{
    // The size that the demo uses from the published collection.
    private const string Default = "k10_hidden5120";

    private readonly OrderedDictionary<Site, IFeatureDictionary> _saes = [];

    public SaeSet(IEnumerable<KeyValuePair<Site, IFeatureDictionary>> saes)
    {
        foreach (var (site, sae) in saes)
            _saes.Add(site, sae);
    }

    public int Count => _saes.Count;

    public IEnumerable<Site> Keys => _saes.Keys;

    public IEnumerable<IFeatureDictionary> Values => _saes.Values;

    /// <exception cref="SaeException">No autoencoder was loaded for this site.</exception>
    public IFeatureDictionary this[Site site] => TryGetValue(site, out var sae)
        ? sae
        : throw new SaeException(
            $"There is no sparse autoencoder for {site}; there are {(Count == 0 ? "none" : "those for " + string.Join(", ", Keys))}.");

    /// <summary>
    /// Finds the autoencoders in a directory: folders or files whose name begins with a site, or whose configuration names one.
    /// Of the snapshots of a training it uses <c>final</c>, or else the highest step. If a site has several (the published collection
    /// has many sizes), it uses the demo's k10_hidden5120.
    /// </summary>
    /// <param name="directory">A folder of autoencoders, one autoencoder's own, or its file.</param>
    /// <param name="variant">Only folders whose hyper-parameters begin with this, such as <c>k20_hidden5120</c>.</param>
    /// <exception cref="SaeException">There is none, or the choice among several is ambiguous.</exception>
    public static IReadOnlyDictionary<Site, string> Find(string directory, string? variant = null)
    {
        if (!Directory.Exists(directory) && !File.Exists(directory))
            throw new SaeException($"{directory}: there is no such folder of sparse autoencoders.");
        var found = Candidates(Path.GetFullPath(directory)).ToArray();
        var wanted = found.Where(candidate => variant is null || candidate.Name.IsVariant(variant)).ToArray();
        if (wanted.Length == 0)
            throw new SaeException(found.Length > 0
                ? $"{directory}: no sparse autoencoder here is a {variant}; there are {Names(found)}."
                : $"{directory}: no sparse autoencoder of a known site lies here; {Lies(directory)}; expected folders named by site, such "
                    + $"as unet.mid_block.attentions.0_{Default}…/final, up_blocks.1.attentions.1 or down.2.1, or files such as "
                        + $"down.2.1.pt.");

        return new SortedDictionary<Site, string>(wanted
            .GroupBy(candidate => candidate.Name.Site)
            .ToDictionary(site => site.Key, site => Choose(directory, site.Key, [.. site]).Folder));
    }

    /// <summary>Loads every autoencoder that <see cref="Find"/> finds.</summary>
    /// <param name="directory">As <see cref="Find"/> takes it.</param>
    /// <param name="device">The CPU if null.</param>
    /// <param name="variant">As <see cref="Find"/> takes it.</param>
    /// <param name="k">Active features per position, for layouts that do not store them.</param>
    public static SaeSet Load(string directory, torch.Device? device = null, string? variant = null, int? k = null)
    {
        var saes = new Dictionary<Site, IFeatureDictionary>();
        try
        {
            foreach (var (site, folder) in Find(directory, variant))
                saes.Add(site, SaeLoader.Load(Snapshot(folder)!, device, k));
            return new SaeSet(saes);
        }
        catch
        {
            foreach (var sae in saes.Values)
                sae.Dispose();
            throw;
        }
    }

    public bool ContainsKey(Site key) => _saes.ContainsKey(key);

    public bool TryGetValue(Site key, [MaybeNullWhen(false)] out IFeatureDictionary value) => _saes.TryGetValue(key, out value);

    public IEnumerator<KeyValuePair<Site, IFeatureDictionary>> GetEnumerator() => _saes.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public void Dispose()
    {
        foreach (var sae in _saes.Values)
            sae.Dispose();
    }

    private static (string Folder, SaeFolderName Name) Choose(
        string directory, Site site, IReadOnlyList<(string Folder, SaeFolderName Name)> candidates)
    {
        if (candidates.Count == 1)
            return candidates[0];
        var usual = candidates.Where(candidate => candidate.Name.IsVariant(Default)).ToArray();
        return usual.Length == 1 ? usual[0] : throw new SaeException(
            $"{directory}: {candidates.Count} sparse autoencoders for {site} ({Names(candidates)}); say which, or keep one of them there.");
    }

    private static string Names(IEnumerable<(string Folder, SaeFolderName Name)> candidates) =>
        string.Join(", ", candidates.Select(candidate => Path.GetFileName(candidate.Folder)));

    private static string Lies(string path) => File.Exists(path) ? "its name tells no site" : DictionaryFiles.Contents(path);

    private static IEnumerable<(string Folder, SaeFolderName Name)> Candidates(string directory)
    {
        // The directory may itself be one autoencoder, or the final/ of one, or a file.
        if (Named(directory) is { } own)
            return [(directory, own)];
        if (File.Exists(directory))
            return [];
        return Path.GetDirectoryName(directory) is { } parent && SaeFolderName.TryParse(Path.GetFileName(parent), out var parents)
            && Snapshot(directory) is not null
            ? [(directory, parents)]
            : Inside(directory);
    }

    private static IEnumerable<(string Folder, SaeFolderName Name)> Inside(string directory)
    {
        // Does not follow links, which may form a cycle.
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            MaxRecursionDepth = 4,
            AttributesToSkip = FileAttributes.ReparsePoint,
        };
        var found = new List<string>();
        foreach (var folder in Directory.EnumerateDirectories(directory, "*", options).Order(StringComparer.Ordinal))
        {
            // Folders in the folder of an autoencoder are its snapshots.
            if (!found.Exists(outer => folder.StartsWith(outer, StringComparison.Ordinal)) && Named(folder) is { } name)
            {
                found.Add(folder + Path.DirectorySeparatorChar);
                yield return (folder, name);
            }
        }

        foreach (var file in Directory.EnumerateFiles(directory).Where(DictionaryFiles.IsCheckpoint).Order(StringComparer.Ordinal))
            if (Named(file) is { } name)
                yield return (file, name);
    }

    /// <summary>The site of an autoencoder, from its name or its configuration; null if the path is not an autoencoder.</summary>
    private static SaeFolderName? Named(string path)
    {
        var isFile = File.Exists(path);
        var stem = isFile ? Path.GetFileNameWithoutExtension(path) : Path.GetFileName(path);
        if (SaeFolderName.TryParse(stem, out var name))
            return Snapshot(path) is null ? null : name;
        var files = isFile ? null : DictionaryFiles.TryFolder(path);
        return files?.SiteOfConfig() is { } site ? new SaeFolderName(site, "") : null;
    }

    private static string? Snapshot(string path)
    {
        if (File.Exists(path) || DictionaryFiles.TryFolder(path) is not null)
            return path;
        var final = Path.Combine(path, "final");
        if (DictionaryFiles.TryFolder(final) is not null)
            return final;
        var steps = Directory.EnumerateDirectories(path)
            .Select(folder => (folder, step: StepOf(folder)))
            .Where(snapshot => snapshot.step >= 0 && DictionaryFiles.TryFolder(snapshot.folder) is not null)
            .OrderByDescending(snapshot => snapshot.step)
            .Select(snapshot => snapshot.folder);
        return steps.FirstOrDefault() ?? (DictionaryFiles.TryOnlyFile(path) is null ? null : path);
    }

    private static long StepOf(string folder) =>
        long.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var step) ? step : -1;
}

/// <summary>
/// The name of a sparse autoencoder's folder: the site, then its hyper-parameters, as in
/// <c>unet.mid_block.attentions.0_k10_hidden5120_auxk256_bs4096_lr0.0001</c>.
/// </summary>
/// <param name="Site">The block it reads.</param>
/// <param name="Rest">The part after the site, without the leading underscore.</param>
public sealed partial record SaeFolderName(Site Site, string Rest)
{
    /// <summary>
    /// Reads a folder's name; the site may be a module path, with or without <c>unet.</c> or <c>text_encoder.</c>, or a code
    /// (<c>mid.0_k10</c>).
    /// </summary>
    public static bool TryParse(string name, [NotNullWhen(true)] out SaeFolderName? result)
    {
        result = null;
        var match = Pattern().Match(name);
        if (!match.Success)
            return false;
        var site = match.Groups["site"].Value;
        if (Site.TryParseModulePath(site, out var parsed)
            || Site.TryParseModulePath("unet." + site, out parsed)
            || Site.TryParseModulePath("text_encoder." + site, out parsed)
            || Site.TryParse(site, out parsed))
            result = new SaeFolderName(parsed, match.Groups["rest"].Value);
        return result is not null;
    }

    /// <summary>Whether the hyper-parameters begin with these, such as <c>k10_hidden5120</c>. Numbers must match completely.</summary>
    public bool IsVariant(string variant) =>
        Rest.StartsWith(variant, StringComparison.Ordinal) && (Rest.Length == variant.Length || Rest[variant.Length] == '_');

    /// <summary>The reference's name for an autoencoder trained with these numbers.</summary>
    public static string Of(Site site, int k, int features, int? auxK, int batchSize, double learningRate) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{site.ModulePath}_k{k}_hidden{features}_auxk{(auxK is { } count ? count : "None")}")
        + string.Create(CultureInfo.InvariantCulture, $"_bs{batchSize}_lr{PythonNumber(learningRate)}");

    // Python writes 0.0001 but 1e-05, .NET 0.0001 but 1E-05.
    private static string PythonNumber(double value) =>
        value.ToString("R", CultureInfo.InvariantCulture).Replace("E-0", "e-0").Replace("E-", "e-").Replace("E+", "e+");

    [GeneratedRegex(@"^(?<site>[a-z_]+(\.[a-z_]+|\.\d+)+)(_(?<rest>k\d.*))?$", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
