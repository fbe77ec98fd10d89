namespace SaeUnbox.Cli.Commands;

/// <summary><c>inspect</c>: describes a checkpoint or a folder, without loading tensors or running anything in it.</summary>
internal static class InspectCommand
{
    public static Command Create(Terminal terminal)
    {
        var path = new Argument<string>("PATH") { Description = "A checkpoint file (safetensors, PyTorch) or a folder." };
        var all = Setting.Switch("--all", "Also list the tensors of a folder's parts.");
        var json = Setting.Switch("--json", "Print everything as JSON.");
        return terminal.NewCommand("inspect", "Describe a checkpoint or folder: kind, keys, shapes, dtypes.", [path, all, json],
            (parsed, cancellation) =>
        {
            var found = Inspect(terminal, parsed.GetRequiredValue(path), cancellation);
            terminal.Output.Write(parsed.GetValue(json) ? Json.Text(Node(found)) + Environment.NewLine : Text(found, parsed.GetValue(all)));
        });
    }

    private static Inspection Inspect(Terminal terminal, string path, CancellationToken cancellation) =>
        terminal.WithProgress("inspecting", work =>
    {
        return InspectDictionary.TryRead(path, Report) ?? Inspection.Read(path, Report);

        void Report(string file, double share)
        {
            cancellation.ThrowIfCancellationRequested();
            work.Report(share, $"checking {Path.GetFileName(file)}");
        }
    });

    private static string Text(Inspection found, bool all)
    {
        var text = new StringBuilder();
        Append(text, found, 0, tensors: true, all);
        return text.ToString();
    }

    private static void Append(StringBuilder text, Inspection found, int depth, bool tensors, bool all)
    {
        var indent = new string(' ', depth * 2);
        var name = depth == 0 ? found.Path : Path.GetFileName(found.Path);
        text.Append(CultureInfo.InvariantCulture, $"{indent}{name}: {found.Title}");
        if (found.Format is { } format)
            text.Append(CultureInfo.InvariantCulture, $", {format}");
        if (found.Parameters > 0)
            text.Append(CultureInfo.InvariantCulture, $", {found.Parameters:N0} values");
        if (found.Tensors.Count > 0)
            text.Append(CultureInfo.InvariantCulture, $" in {found.Tensors.Count} tensors");
        text.AppendLine();
        foreach (var (key, value) in found.Facts)
            text.AppendLine(CultureInfo.InvariantCulture, $"{indent}  {key} = {value}");
        if (tensors || all)
            foreach (var tensor in found.Tensors)
            {
                text.Append(CultureInfo.InvariantCulture, $"{indent}  {tensor.Name}  {tensor.DType} [{string.Join(", ", tensor.Shape)}]");
                if (tensor.Strides is { } strides)
                    text.Append(CultureInfo.InvariantCulture, $" strides [{string.Join(", ", strides)}]");
                text.AppendLine();
            }
        foreach (var part in found.Parts)
            Append(text, part, depth + 1, tensors: false, all);
    }

    private static object Node(Inspection found) => new
    {
        path = found.Path,
        kind = found.Kind.ToString(),
        title = found.Title,
        format = found.Format,
        values = found.Parameters,
        facts = found.Facts,
        tensors = found.Tensors.Select(one => new { name = one.Name, dtype = one.DType, shape = one.Shape, strides = one.Strides }),
        parts = found.Parts.Select(Node),
    };
}

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
