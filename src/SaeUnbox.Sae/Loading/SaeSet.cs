using System.Collections;
using System.Diagnostics.CodeAnalysis;
using SaeUnbox.Contracts;
using TorchSharp;

namespace SaeUnbox.Sae;

/// <summary>The sparse autoencoders of a model, at most one a site.</summary>
public sealed class SaeSet : IReadOnlyDictionary<HookSite, SparseAutoencoder>, IDisposable
{
    private readonly SortedDictionary<HookSite, SparseAutoencoder> _saes = [];

    public SaeSet(IEnumerable<KeyValuePair<HookSite, SparseAutoencoder>> saes)
    {
        foreach (var (site, sae) in saes)
            _saes.Add(site, sae);
    }

    public int Count => _saes.Count;

    public IEnumerable<HookSite> Keys => _saes.Keys;

    public IEnumerable<SparseAutoencoder> Values => _saes.Values;

    /// <exception cref="SaeException">No autoencoder was loaded for this site.</exception>
    public SparseAutoencoder this[HookSite site] => TryGetValue(site, out var sae)
        ? sae
        : throw new SaeException(
            $"There is no sparse autoencoder for {site}; there are {(Count == 0 ? "none" : "those for " + string.Join(", ", Keys))}.");

    /// <summary>
    /// Where the autoencoders under a directory lie. Folders whose name begins with a site count; of one training's
    /// snapshots <c>final</c> is taken, else the highest step.
    /// </summary>
    /// <exception cref="SaeException">There is none, or two different ones for one site: name the wanted folder then.</exception>
    public static IReadOnlyDictionary<HookSite, string> Find(string directory)
    {
        if (!Directory.Exists(directory))
            throw new SaeException($"{directory}: there is no such folder of sparse autoencoders.");
        var found = new SortedDictionary<HookSite, string>();
        foreach (var (folder, site) in Candidates(Path.GetFullPath(directory)))
        {
            if (!found.TryAdd(site, folder))
                throw new SaeException(
                    $"{directory}: two sparse autoencoders for {site} ({Path.GetFileName(found[site])} and {Path.GetFileName(folder)}); "
                    + "keep one of them there.");
        }

        return found.Count > 0 ? found : throw new SaeException(
            $"{directory}: no sparse autoencoder lies here; expected folders such as unet.mid_block.attentions.0_k10_hidden5120…/final.");
    }

    /// <summary>Loads every autoencoder under a directory, see <see cref="Find"/>.</summary>
    public static SaeSet Load(string directory, torch.Device? device = null)
    {
        var saes = new Dictionary<HookSite, SparseAutoencoder>();
        try
        {
            foreach (var (site, folder) in Find(directory))
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

    public bool ContainsKey(HookSite key) => _saes.ContainsKey(key);

    public bool TryGetValue(HookSite key, [MaybeNullWhen(false)] out SparseAutoencoder value) => _saes.TryGetValue(key, out value);

    public IEnumerator<KeyValuePair<HookSite, SparseAutoencoder>> GetEnumerator() => _saes.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public void Dispose()
    {
        foreach (var sae in _saes.Values)
            sae.Dispose();
    }

    private static IEnumerable<(string Folder, HookSite Site)> Candidates(string directory)
    {
        // The directory may itself be one autoencoder, or the final/ of one.
        foreach (var self in new[] { directory, Path.GetDirectoryName(directory) })
        {
            if (self is not null && SaeFolderName.TryParse(Path.GetFileName(self), out var own) && Snapshot(directory) is not null)
            {
                yield return (directory, own.Site);
                yield break;
            }
        }

        // Links are not followed: they may lead in a circle.
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true, MaxRecursionDepth = 4, AttributesToSkip = FileAttributes.ReparsePoint,
        };
        foreach (var folder in Directory.EnumerateDirectories(directory, "*", options).Order(StringComparer.Ordinal))
        {
            if (SaeFolderName.TryParse(Path.GetFileName(folder), out var name) && Snapshot(folder) is not null)
                yield return (folder, name.Site);
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
            .Select(path => (path, step: long.TryParse(Path.GetFileName(path), out var step) ? step : -1))
            .Where(snapshot => snapshot.step >= 0 && SaeFiles.TryFolder(snapshot.path) is not null)
            .OrderByDescending(snapshot => snapshot.step)
            .Select(snapshot => snapshot.path)
            .FirstOrDefault();
    }
}
