namespace SaeUnbox.Steering;

/// <summary>A description of a dictionary, from headers and configuration only.</summary>
/// <param name="Weights">The file of its tensors.</param>
/// <param name="Layout">The program that writes the layout, such as "SAELens".</param>
/// <param name="Kind">How features become active, such as "TopK"; null if the files do not say.</param>
/// <param name="Features">n; null if unknown.</param>
/// <param name="Width">d; null if unknown.</param>
/// <param name="K">Active features per position; null if it varies or is unknown.</param>
/// <param name="Site">From the name of its folder or from its configuration; null if unknown.</param>
/// <param name="Missing">Descriptions of missing, misshapen and unknown tensors; empty if the dictionary can be used for painting.</param>
public sealed record DictionaryHeader(
    string Weights, string Layout, string? Kind, int? Features, int? Width, int? K, Site? Site, IReadOnlyList<string> Missing)
{
    /// <summary>Whether it is of the site's output rather than of what the site adds to its input.</summary>
    public bool ReadsOutput { get; init; }

    /// <summary>Whether a path is one dictionary: a folder of its files or its parent, or a file.</summary>
    public static bool IsOne(string path) => TryRead(path) is not null;

    /// <summary>The site of a dictionary by the name of its folder or file, or by its configuration; null for none.</summary>
    public static Site? SiteOf(string path)
    {
        var whole = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        var names = File.Exists(whole)
            ? new[] { Path.GetFileNameWithoutExtension(whole), Path.GetFileName(Path.GetDirectoryName(whole)) }
            : [Path.GetFileName(whole), Path.GetFileName(Path.GetDirectoryName(whole))];
        foreach (var name in names)
            if (name is not null && SaeFolderName.TryParse(name, out var parsed))
                return parsed.Site;
        return DictionaryFiles.Find(path).SiteOfConfig();
    }

    /// <summary>Reads headers; null if the path is not one dictionary of a known layout.</summary>
    /// <exception cref="CheckpointException">The checkpoint is broken.</exception>
    public static DictionaryHeader? TryRead(string path)
    {
        try
        {
            return Directory.Exists(path) && File.Exists(Path.Combine(path, "model_index.json")) ? null : Read(path);
        }
        catch (Exception e) when (e is SaeException or ModelException)
        {
            return null;
        }
    }

    private static DictionaryHeader Read(string path)
    {
        var files = DictionaryFiles.Find(path);
        using var source = DictionarySource.Open(files);
        var layout = DictionaryLayout.Of(source).Name;
        var missing = new List<string>();
        var (form, knowsK) = Form(files, source, missing);
        if (form is not null)
            missing.AddRange(SaeLoader.Misfits(source, form));
        if (!files.Scales.Any(scale => File.Exists(scale.Mean)))
            missing.Add("mean.pt, which painting with add needs (saeunbox statistics --write-scale makes it)");
        return new(files.Weights, layout, form?.Activation.Kind, form?.Features, form?.Width, knowsK ? form?.Activation.K : null,
            SiteOf(path), missing)
        {
            ReadsOutput = form?.ReadsOutput == true,
        };
    }

    // Everything else is known without k.
    private static (DictionaryForm? Form, bool KnowsK) Form(DictionaryFiles files, DictionarySource source, List<string> missing)
    {
        try
        {
            return (DictionaryLayout.FormOf(source), true);
        }
        catch (Exception e) when (e is SaeException or ModelException)
        {
            missing.Add(e.Message.TrimEnd('.'));
        }

        using var asked = DictionarySource.Open(files, askedK: 1);
        try
        {
            return (DictionaryLayout.FormOf(asked), false);
        }
        catch (Exception e) when (e is SaeException or ModelException)
        {
            return (null, false);
        }
    }
}
