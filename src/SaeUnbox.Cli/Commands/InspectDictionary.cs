using System.Globalization;

namespace SaeUnbox.Cli.Commands;

/// <summary>The part of <c>inspect</c> that tells of dictionaries, whatever their layout.</summary>
internal static class InspectDictionary
{
    /// <summary>Describes a dictionary or a folder of dictionaries; null if the path is neither.</summary>
    /// <exception cref="CheckpointException">A file is broken.</exception>
    public static Inspection? TryRead(string path, Action<string, double> progress)
    {
        if (DictionaryHeader.TryRead(path) is { } header)
            return Describe(path, header, progress);
        if (!Directory.Exists(path) || File.Exists(Path.Combine(path, "model_index.json")))
            return null;
        var parts = Parts(path).Select(part => DictionaryHeader.TryRead(part) is { } one ? Describe(part, one, progress) : null)
            .OfType<Inspection>().ToList();
        return parts.Count == 0 ? null
            : new Inspection(path, CheckpointKind.SparseAutoencoders, "sparse autoencoders", null, [],
                new Dictionary<string, string>(), parts);
    }

    /// <summary>Whether the path is a dictionary or a folder of dictionaries. Reads headers only.</summary>
    public static bool IsOne(string path) =>
        DictionaryHeader.IsOne(path)
            || (Directory.Exists(path) && !File.Exists(Path.Combine(path, "model_index.json")) && Parts(path).Any(DictionaryHeader.IsOne));

    // A folder with files of other kinds is described as such.
    private static IEnumerable<string> Parts(string path)
    {
        try
        {
            return SaeSet.Find(path).Values;
        }
        catch (SaeException)
        {
            return [];
        }
    }

    private static Inspection Describe(string path, DictionaryHeader header, Action<string, double> progress)
    {
        var isReference = Directory.Exists(path) && header.Layout == "sdxl-unbox" && header.Features is not null;
        var found = Inspection.Read(isReference ? path : header.Weights, progress);
        var facts = new Dictionary<string, string> { ["layout"] = header.Layout };
        Add("kind", header.Kind);
        Add("n", Number(header.Features));
        Add("d", Number(header.Width));
        Add("k", Number(header.K) ?? (header.Kind is null ? null : "varies or unknown"));
        Add("site", header.Site?.Code);
        Add("of", header.ReadsOutput ? "the site's output" : null);
        Add("missing", header.Missing.Count == 0 ? null : string.Join("; ", header.Missing));
        foreach (var (key, value) in found.Facts)
            facts.TryAdd(key, value);
        return found with { Path = path, Kind = CheckpointKind.SparseAutoencoder, Title = "sparse autoencoder", Facts = facts };

        void Add(string key, string? value)
        {
            if (value is not null)
                facts[key] = value;
        }
    }

    private static string? Number(int? value) => value?.ToString(CultureInfo.InvariantCulture);
}
