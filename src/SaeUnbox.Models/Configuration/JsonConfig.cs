using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace SaeUnbox.Models;

/// <summary>
/// The JSON object of a component (config.json, scheduler_config.json, model_index.json). A null value counts as missing, because diffusers
/// writes unset entries as null. Methods without a default require the key. All errors are <see cref="ModelException"/>s that name the file
/// and the key.
/// </summary>
public sealed class JsonConfig
{
    private const int MaxFileBytes = 1 << 20;

    // Above the width of any model, and small enough that the product of three such numbers fits in a long.
    private const int MaxCount = 1 << 20;

    // Each level halves the resolution, so eight levels shrink it by 128.
    private const int MaxLevels = 8;

    private readonly JsonElement _root;

    private JsonConfig(string source, JsonElement root)
    {
        Source = source;
        _root = root;
    }

    /// <summary>The name of the file in errors.</summary>
    public string Source { get; }

    /// <summary>Reads a file.</summary>
    /// <exception cref="ModelException">The file is missing, unreadable, or not a JSON object.</exception>
    public static JsonConfig Load(string path) => Parse(TextFile.Read(path, MaxFileBytes), path);

    /// <summary>Parses a text; <paramref name="source"/> is its name in errors.</summary>
    /// <exception cref="ModelException">The text is not a JSON object.</exception>
    public static JsonConfig Parse(string json, string source)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new JsonConfig(source, document.RootElement.Clone())
                : throw new ModelException($"{source} is not a JSON object.");
        }
        catch (JsonException e)
        {
            var isJson = json.TrimStart().StartsWith('{');
            var kind = isJson
                ? null
                : ForeignFile.Explain(Encoding.UTF8.GetBytes(json[..Math.Min(json.Length, ForeignFile.HeadLength / 4)]));
            throw new ModelException($"{source} is not valid JSON: {kind ?? e.Message}{(kind is null ? "" : ".")}", e);
        }
    }

    /// <summary>A copy of the object.</summary>
    internal JsonObject ToObject() => JsonNode.Parse(_root.GetRawText())!.AsObject();

    /// <summary>The value of <paramref name="key"/>; null if it is missing or null.</summary>
    public JsonElement? Find(string key) =>
        _root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public string Text(string key, string? fallback = null) => Find(key) is not { } value
        ? fallback ?? throw Missing(key)
        : AsText(value) ?? throw Wrong(key, "a string");

    public int Integer(string key, int? fallback = null) => Find(key) is not { } value
        ? fallback ?? throw Missing(key)
        : AsInteger(value) ?? throw Wrong(key, "a whole number");

    public double Number(string key, double? fallback = null) => Find(key) is not { } value
        ? fallback ?? throw Missing(key)
        : AsNumber(value) ?? throw Wrong(key, "a finite number");

    public bool Flag(string key, bool? fallback = null) => Find(key) is not { } value
        ? fallback ?? throw Missing(key)
        : AsFlag(value) ?? throw Wrong(key, "true or false");

    public IReadOnlyList<int> Integers(string key, IReadOnlyList<int>? fallback = null) => Find(key) is not { } value
        ? fallback ?? throw Missing(key)
        : Items(value)?.Select(e => AsInteger(e) ?? throw Wrong(key, "a list of whole numbers")).ToArray()
            ?? throw Wrong(key, "a list of whole numbers");

    public IReadOnlyList<double> Numbers(string key, IReadOnlyList<double>? fallback = null) => Find(key) is not { } value
        ? fallback ?? throw Missing(key)
        : Items(value)?.Select(e => AsNumber(e) ?? throw Wrong(key, "a list of finite numbers")).ToArray()
            ?? throw Wrong(key, "a list of finite numbers");

    public IReadOnlyList<string> Texts(string key, IReadOnlyList<string>? fallback = null) => Find(key) is not { } value
        ? fallback ?? throw Missing(key)
        : Items(value)?.Select(e => AsText(e) ?? throw Wrong(key, "a list of strings")).ToArray()
            ?? throw Wrong(key, "a list of strings");

    /// <summary>A whole number from <paramref name="min"/> to <paramref name="max"/>, such as a width or a number of layers.</summary>
    public int Count(string key, int? fallback = null, int min = 1, int max = MaxCount) =>
        Integer(key, fallback) is var value && value >= min && value <= max
            ? value
            : throw Wrong(key, $"from {min} to {max}, but is {value}");

    /// <summary>A list of one to eight whole numbers of at least <paramref name="min"/>, one for each level.</summary>
    public IReadOnlyList<int> Counts(string key, IReadOnlyList<int>? fallback = null, int min = 1)
    {
        var values = Integers(key, fallback);
        if (values.Count > MaxLevels)
            throw Wrong(key, $"a list of at most {MaxLevels} numbers, but has {values.Count}");
        return values.Count > 0 && values.All(v => v >= min && v <= MaxCount)
            ? values
            : throw Wrong(key, $"a list of numbers from {min} to {MaxCount}, but is [{string.Join(", ", values)}]");
    }

    /// <summary>One of <paramref name="allowed"/>; <paramref name="fallback"/> if the key is missing.</summary>
    public string Choice(string key, string fallback, params string[] allowed) =>
        Text(key, fallback) is var value && allowed.Contains(value)
            ? value
            : throw Wrong(key, $"one of {string.Join(", ", allowed)}, but is \"{value}\"");

    /// <summary>The object in <paramref name="key"/>. Its errors name the file and both keys.</summary>
    public JsonConfig Part(string key) => Find(key) switch
    {
        null => throw Missing(key),
        { ValueKind: JsonValueKind.Object } part => new JsonConfig($"{Source}: {key}", part),
        _ => throw Wrong(key, "an object"),
    };

    /// <summary>Throws if an option is on that this library does not support. An option with a value per level is off if all are.</summary>
    public void MustBeOff(string key)
    {
        if (Find(key) is { } value && !(Items(value) ?? [value]).All(item => item.ValueKind is JsonValueKind.False or JsonValueKind.Null))
            throw Wrong(key, "null or false, because the option is not supported");
    }

    /// <summary>The exception for a wrong value: "{file}: {key} must be {mustBe}."</summary>
    public ModelException Wrong(string key, string mustBe) => new($"{Source}: {key} must be {mustBe}.");

    private ModelException Missing(string key) => new($"{Source}: {key} is missing.");

    private static IEnumerable<JsonElement>? Items(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : null;

    private static string? AsText(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static int? AsInteger(JsonElement value) => PlainNumber.TryWhole(value, out int number) ? number : null;

    private static double? AsNumber(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number : null;

    private static bool? AsFlag(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };
}

/// <summary>Reads small text files of a model.</summary>
internal static class TextFile
{
    /// <exception cref="ModelException">The file is missing, unreadable, or larger than <paramref name="maxBytes"/>.</exception>
    public static string Read(string path, int maxBytes)
    {
        try
        {
            using var file = File.OpenRead(path);
            var bytes = new byte[(int)Math.Min(file.Length, maxBytes) + 1];
            var read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (read == bytes.Length)
                throw new ModelException($"{path} is larger than {maxBytes} bytes, so it is not the expected file.");

            using var reader = new StreamReader(new MemoryStream(bytes, 0, read), Encoding.UTF8);
            return reader.ReadToEnd();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ModelException($"{path} is missing.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelException($"{path} cannot be read: {e.Message}", e);
        }
    }
}

/// <summary>How JSON files of a model are written.</summary>
internal static class JsonFile
{
    /// <summary>On one line, with all letters as they are.</summary>
    public static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>One entry a line.</summary>
    public static readonly JsonSerializerOptions Indented = new(Plain) { WriteIndented = true };
}
