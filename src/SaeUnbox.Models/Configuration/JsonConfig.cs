using System.Text.Json;
using System.Text;

namespace SaeUnbox.Models;

/// <summary>
/// The JSON object of a component (config.json, scheduler_config.json, model_index.json), read key by key.
/// A null value counts as absent, as diffusers writes unset entries. Every error names the file and the key.
/// </summary>
public sealed class JsonConfig
{
    private const int LargestFile = 1 << 20;

    // Wider than any model, and far from where products of two or three of them overflow.
    private const int LargestCount = 1 << 20;

    // A level halves the resolution: this many are a cell of 128 pixels.
    private const int MostLevels = 8;

    private readonly JsonElement _root;

    private JsonConfig(string source, JsonElement root)
    {
        Source = source;
        _root = root;
    }

    /// <summary>The file the values come from, as errors name it.</summary>
    public string Source { get; }

    /// <exception cref="ModelException">The file is missing, unreadable, or no JSON object.</exception>
    public static JsonConfig Load(string path) => Parse(TextFile.Read(path, LargestFile), path);

    /// <exception cref="ModelException">The text is no JSON object.</exception>
    public static JsonConfig Parse(string json, string source)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new JsonConfig(source, document.RootElement.Clone())
                : throw new ModelException($"{source} holds no JSON object.");
        }
        catch (JsonException e)
        {
            throw new ModelException($"{source} is not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>The value under <paramref name="key"/>, or null where it is absent or null.</summary>
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

    /// <summary>A whole number of at least <paramref name="least"/> and at most <paramref name="most"/>: a width, a depth, a count.</summary>
    public int Count(string key, int? fallback = null, int least = 1, int most = LargestCount) =>
        Integer(key, fallback) is var value && value >= least && value <= most
            ? value
            : throw Wrong(key, $"at least {least} and at most {most}, and is {value}");

    /// <summary>A list, one entry a level and not empty, of whole numbers of at least <paramref name="least"/>.</summary>
    public IReadOnlyList<int> Counts(string key, IReadOnlyList<int>? fallback = null, int least = 1)
    {
        var values = Integers(key, fallback);
        if (values.Count > MostLevels) throw Wrong(key, $"a list of at most {MostLevels} numbers, and has {values.Count}");
        return values.Count > 0 && values.All(v => v >= least && v <= LargestCount)
            ? values
            : throw Wrong(key, $"a list of numbers of at least {least} and at most {LargestCount}, and is [{string.Join(", ", values)}]");
    }

    /// <summary>One of <paramref name="allowed"/>; <paramref name="fallback"/> where the key is absent.</summary>
    public string Choice(string key, string fallback, params string[] allowed) => Text(key, fallback) is var value && allowed.Contains(value)
        ? value
        : throw Wrong(key, $"one of {string.Join(", ", allowed)}, and is \"{value}\"");

    /// <summary>The object under <paramref name="key"/>, read in its turn; errors name both.</summary>
    public JsonConfig Part(string key) => Find(key) switch
    {
        null => throw Missing(key),
        { ValueKind: JsonValueKind.Object } part => new JsonConfig($"{Source}: {key}", part),
        _ => throw Wrong(key, "an object"),
    };

    /// <summary>Fails where a switch is on that asks for something not supported here.</summary>
    public void MustBeOff(string key)
    {
        if (Find(key) is { ValueKind: not JsonValueKind.False })
        {
            throw Wrong(key, "off (null or false); it is not supported");
        }
    }

    /// <summary>The exception for a value that cannot be used: "{file}: {key} must be {what}."</summary>
    public ModelException Wrong(string key, string mustBe) => new($"{Source}: {key} must be {mustBe}.");

    private ModelException Missing(string key) => new($"{Source}: {key} is missing.");

    private static IEnumerable<JsonElement>? Items(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : null;

    private static string? AsText(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static int? AsInteger(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : null;

    private static double? AsNumber(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number : null;

    private static bool? AsFlag(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };
}

/// <summary>Reads a model's small files; one that is not small is no such file.</summary>
internal static class TextFile
{
    /// <exception cref="ModelException">The file is missing, unreadable, or larger than <paramref name="most"/> bytes.</exception>
    public static string Read(string path, int most)
    {
        try
        {
            using var file = File.OpenRead(path);
            var bytes = new byte[(int)Math.Min(file.Length, most) + 1];
            var read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (read == bytes.Length)
            {
                throw new ModelException($"{path} is larger than {most} bytes, which no such file is.");
            }

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
