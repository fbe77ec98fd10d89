using System.Text.Json;
using System.Text.RegularExpressions;

namespace SaeUnbox.Cli.Options;

/// <summary>Reads small files that the user names.</summary>
internal static class InputFile
{
    private const int LongestPath = 300;

    internal static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <param name="largest">The most bytes to read.</param>
    /// <exception cref="CliException">The file is missing, a folder, unreadable or too large.</exception>
    public static byte[] Read(string path, long largest)
    {
        using var stream = Open(path);
        try
        {
            using var bytes = new MemoryStream();
            var buffer = new byte[1 << 16];
            // Counts while reading, because a device has no length and no end.
            for (int count; (count = stream.Read(buffer)) > 0;)
            {
                if (bytes.Length + count > largest)
                    throw new CliException($"{path} is too large: at most {largest} bytes can be read.");
                bytes.Write(buffer, 0, count);
            }
            return bytes.ToArray();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"{path} cannot be read: {error.Message}");
        }
    }

    /// <exception cref="CliException">The file is missing, a folder or unreadable.</exception>
    public static FileStream Open(string path)
    {
        if (Directory.Exists(path))
            throw new CliException($"{path} is a folder; a file is expected.");
        if (!File.Exists(path))
            throw new CliException($"the file {Line.Quote(path, LongestPath)} is missing.");
        try
        {
            return File.OpenRead(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"{path} cannot be read: {error.Message}");
        }
    }

    /// <param name="expected">What the file should be, in a clause.</param>
    /// <exception cref="CliException">The bytes are not UTF-8 or belong to another kind of file.</exception>
    public static string Text(string path, byte[] bytes, string expected)
    {
        if (FileKind.Of(bytes) is { } kind)
            throw new CliException($"{path} is {kind}; {expected}.");
        try
        {
            return Strict.GetString(bytes).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException)
        {
            throw new CliException($"{path} is neither a picture nor a text; {expected}.");
        }
    }
}

/// <summary>Folders that the user names.</summary>
internal static class InputFolder
{
    /// <summary>The folder of an option; null if the option is missing.</summary>
    /// <exception cref="CliException">There is no such folder.</exception>
    public static string? Read(ParseResult parsed, Option<string?> option)
    {
        if (parsed.GetValue(option) is not { } path)
            return null;
        if (path.Length == 0)
            throw new CliException($"{option.Name}: a folder's name is expected.");
        if (File.Exists(path))
            throw new CliException($"{option.Name} {path}: that is a file; a folder is expected.");
        return Directory.Exists(path) ? path : throw new CliException($"{option.Name} {Line.Quote(path)}: there is no such folder.");
    }
}

/// <summary>Reads a mask: a picture of the image's size, JSON rows in a file or in place, or the text form that recipes use.</summary>
internal static partial class MaskFile
{
    private const long LargestFile = 64 << 20;

    /// <param name="text">A path, JSON rows, or the text form, such as <c>8x8/1:BAA</c>.</param>
    /// <param name="recipe">Gives the image's size.</param>
    /// <param name="grid">Rows and columns of the site.</param>
    /// <exception cref="CliException">The mask cannot be read or has the wrong size.</exception>
    public static BrushMask Read(string text, Recipe recipe, (int Rows, int Columns) grid)
    {
        var mask = ReadAny(text, recipe, grid);
        return mask.Rows == grid.Rows && mask.Columns == grid.Columns
            ? mask
            : throw new CliException($"the mask {Line.Quote(text)} has {mask.Rows} x {mask.Columns} cells, but the site has "
                + $"{grid.Rows} x {grid.Columns} at {recipe.Width} x {recipe.Height} pixels.");
    }

    /// <summary>Reads a mask that may have any grid; <paramref name="grid"/> is that of a mask read from a picture.</summary>
    /// <exception cref="CliException">The mask cannot be read.</exception>
    public static BrushMask ReadAny(string text, Recipe recipe, (int Rows, int Columns) grid) =>
        text.TrimStart().StartsWith('[') || TextForm().IsMatch(text) ? Parse(text, text) : ReadFile(text, recipe, grid);

    [GeneratedRegex(@"^\d+x\d+/(\d+|f32):[A-Za-z0-9_-]*$")]
    private static partial Regex TextForm();

    private static BrushMask ReadFile(string path, Recipe recipe, (int Rows, int Columns) grid)
    {
        var file = InputFile.Read(path, LargestFile);
        if (!Png.IsPng(file) && !Jpeg.IsJpeg(file))
            return Parse(InputFile.Text(path, file, "a mask is a PNG, a JPEG, or JSON in UTF-8"), path);
        Picture picture;
        try
        {
            picture = Picture.Decode(file);
        }
        catch (PictureException error)
        {
            throw new CliException($"the mask {path} cannot be read: {error.Message}");
        }
        if (picture.Width != recipe.Width || picture.Height != recipe.Height)
            throw new CliException($"the mask {path} is {picture.Width} x {picture.Height} pixels; "
                + $"it must have the image's size, {recipe.Width} x {recipe.Height}.");
        return BrushMask.FromPixels(picture.PaintedPixels(), picture.Width, picture.Height, grid.Rows, grid.Columns);
    }

    private static BrushMask Parse(string json, string source)
    {
        try
        {
            return BrushMask.Parse(json);
        }
        catch (RecipeException error)
        {
            throw new CliException($"the mask {Line.Quote(source)}: {error.Errors[0].Message}.");
        }
    }
}

/// <summary>Reads files of feature names, measured features, suggestions and concepts for an atlas.</summary>
internal static class AtlasFiles
{
    private const long Largest = 64 << 20;

    /// <exception cref="CliException">The file cannot be read, or has another format.</exception>
    public static IReadOnlyDictionary<(Site Site, int Feature), string> Names(string path) => Read(path, root => root.EnumerateObject()
        .SelectMany(site => site.Value.EnumerateObject().Select(feature => (Site: Site.Parse(site.Name), Feature: feature)))
        .ToDictionary(one => (one.Site, int.Parse(one.Feature.Name, NumberStyles.None, CultureInfo.InvariantCulture)),
            one => one.Feature.Value.GetString()!));

    /// <exception cref="CliException">The file cannot be read, or has another format.</exception>
    public static IReadOnlyList<Suggestion> Suggestions(string path) => Read<IReadOnlyList<Suggestion>>(path, root =>
    [
        .. root.EnumerateArray().Select(entry => new Suggestion(
            entry.GetProperty("title").GetString()!, Recipe.FromJson(entry.GetProperty("recipe").GetRawText()))),
    ]);

    /// <exception cref="CliException">The file cannot be read, or has another format.</exception>
    public static IReadOnlyList<Concept> Concepts(string path) => Read(path, root =>
        root.Deserialize<IReadOnlyList<Concept>>(JsonSerializerOptions.Web) is { } concepts
        && concepts.All(concept => Concept.IsName(concept.Name) && concept.Sites is { Count: > 0 } sites
            && sites.All(site => site.Features is { Count: > 0 }))
            ? concepts
            : throw new FormatException("a concept has a name, and sites with features"));

    /// <exception cref="CliException">The file cannot be read, or has another format.</exception>
    public static IReadOnlyList<MeasuredFeature> Features(string path) => Read(path, root =>
        root.Deserialize<IReadOnlyList<MeasuredFeature>>(JsonSerializerOptions.Web) is { } features
        && features.All(one => one is { Site: not null, Feature: >= 0, Effect: null or { Element: not null } }
            && one.Effect?.Strength is null or (>= RecipeLimits.MinStrength and <= RecipeLimits.MaxStrength))
            ? features
            : throw new FormatException("a feature has a site, a number, and either no effect or one with an element and a strength from "
                + $"{RecipeLimits.MinStrength} to {RecipeLimits.MaxStrength}"));

    /// <summary>
    /// Labels of features, of a folder of files SITE.json or one such file: a list of objects with id, label and category; other keys are
    /// left out, and so are entries without a label.
    /// </summary>
    /// <exception cref="CliException">A file cannot be read, is not named by a site, or has another format.</exception>
    public static IReadOnlyDictionary<(Site Site, int Feature), FeatureLabel> Labels(string path)
    {
        var files = Directory.Exists(path) ? Directory.GetFiles(path, "*.json") : [path];
        var labels = new Dictionary<(Site, int), FeatureLabel>();
        foreach (var file in files.Order(StringComparer.Ordinal))
        {
            if (SaeFolderName.TryParse(Path.GetFileNameWithoutExtension(file), out var name))
                foreach (var (feature, label) in Read(file, ReadLabels))
                    labels[(name.Site, feature)] = label;
            else if (files.Length == 1)
                throw new CliException($"--labels {file}: its name is not a site's, such as down.2.1.json.");
        }
        return labels.Count > 0 ? labels
            : throw new CliException($"--labels {path}: there are no labels; files such as down.2.1.json are expected.");
    }

    private static List<(int Feature, FeatureLabel Label)> ReadLabels(JsonElement root) =>
    [
        .. from entry in root.EnumerateArray()
           let label = entry.TryGetProperty("label", out var text) ? text.GetString() : null
           where !string.IsNullOrWhiteSpace(label)
           select (Id(entry.GetProperty("id")), new FeatureLabel(label.Trim(), Category(entry))),
    ];

    private static int Id(JsonElement id) => id.ValueKind == JsonValueKind.String
        ? int.Parse(id.GetString()!, NumberStyles.None, CultureInfo.InvariantCulture)
        : id.GetInt32();

    private static string? Category(JsonElement entry) =>
        entry.TryGetProperty("category", out var category) && category.ValueKind == JsonValueKind.String
            ? category.GetString()!.Trim()
            : null;

    private static T Read<T>(string path, Func<JsonElement, T> read)
    {
        try
        {
            using var document = JsonDocument.Parse(InputFile.Read(path, Largest));
            return read(document.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException
            or FormatException or RecipeException or ArgumentException or OverflowException)
        {
            var reason = exception switch
            {
                JsonException json => $"it is not JSON (line {json.LineNumber + 1}).",
                RecipeException or ArgumentException => exception.Message,
                _ => "an entry is missing or of another type.",
            };
            throw new CliException($"{path} cannot be used: {reason}");
        }
    }
}
