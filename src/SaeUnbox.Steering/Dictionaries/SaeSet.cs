using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using TorchSharp;

namespace SaeUnbox.Steering;

/// <summary>The sparse autoencoders of a model, at most one a site.</summary>
public sealed class SaeSet : IReadOnlyDictionary<Site, IFeatureDictionary>, IDisposable
{
    // What the demo loads of the published collection.
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
    /// Where the autoencoders under a directory lie. Folders whose name begins with a site count; of one training's
    /// snapshots <c>final</c> is taken, else the highest step. Where a site has several (the published collection holds
    /// many sizes), the demo's k10_hidden5120 is taken.
    /// </summary>
    /// <param name="directory">A folder of autoencoders, or one autoencoder's own.</param>
    /// <param name="variant">Only folders whose hyper-parameters begin with this, such as <c>k20_hidden5120</c>.</param>
    /// <exception cref="SaeException">There is none, or it is open which of several is meant.</exception>
    public static IReadOnlyDictionary<Site, string> Find(string directory, string? variant = null)
    {
        if (!Directory.Exists(directory))
            throw new SaeException($"{directory}: there is no such folder of sparse autoencoders.");
        var found = Candidates(Path.GetFullPath(directory)).ToArray();
        var wanted = found.Where(candidate => variant is null || candidate.Name.IsVariant(variant)).ToArray();
        if (wanted.Length == 0)
        {
            throw new SaeException(found.Length > 0
                ? $"{directory}: no sparse autoencoder here is a {variant}; there are {Names(found)}."
                : $"{directory}: no sparse autoencoder lies here; expected folders such as unet.mid_block.attentions.0_{Default}…/final.");
        }

        return new SortedDictionary<Site, string>(wanted
            .GroupBy(candidate => candidate.Name.Site)
            .ToDictionary(site => site.Key, site => Choose(directory, site.Key, [.. site]).Folder));
    }

    /// <summary>Loads every autoencoder that <see cref="Find"/> finds.</summary>
    public static SaeSet Load(string directory, torch.Device? device = null, string? variant = null)
    {
        var saes = new Dictionary<Site, IFeatureDictionary>();
        try
        {
            foreach (var (site, folder) in Find(directory, variant))
                saes.Add(site, SaeLoader.Load(Snapshot(folder)!, device));
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

    private static IEnumerable<(string Folder, SaeFolderName Name)> Candidates(string directory)
    {
        // The directory may itself be one autoencoder, or the final/ of one.
        foreach (var self in new[] { directory, Path.GetDirectoryName(directory) })
        {
            if (self is not null && SaeFolderName.TryParse(Path.GetFileName(self), out var own) && Snapshot(directory) is not null)
            {
                yield return (directory, own);
                yield break;
            }
        }

        // Links are not followed: they may lead in a circle.
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            MaxRecursionDepth = 4,
            AttributesToSkip = FileAttributes.ReparsePoint,
        };
        foreach (var folder in Directory.EnumerateDirectories(directory, "*", options).Order(StringComparer.Ordinal))
        {
            if (SaeFolderName.TryParse(Path.GetFileName(folder), out var name) && Snapshot(folder) is not null)
                yield return (folder, name);
        }
    }

    private static string? Snapshot(string folder)
    {
        if (SaeFiles.TryFolder(folder) is not null)
            return folder;
        var final = Path.Combine(folder, "final");
        if (SaeFiles.TryFolder(final) is not null)
            return final;
        return Directory.EnumerateDirectories(folder)
            .Select(path => (path, step: long.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture,
                out var step)
                ? step
                : -1))
            .Where(snapshot => snapshot.step >= 0 && SaeFiles.TryFolder(snapshot.path) is not null)
            .OrderByDescending(snapshot => snapshot.step)
            .Select(snapshot => snapshot.path)
            .FirstOrDefault();
    }
}
