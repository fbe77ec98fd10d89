namespace SaeUnbox.Core;

/// <summary>Converters for single JSON values.</summary>
internal static class Fields
{
    public static string? Text(JsonElement element, out string value)
    {
        value = "";
        if (element.ValueKind != JsonValueKind.String)
            return "is not a string";
        try
        {
            value = element.GetString()!;
            return null;
        }
        catch (InvalidOperationException)
        {
            return "contains an unpaired surrogate";
        }
    }

    public static string? OptionalText(JsonElement element, out string? value)
    {
        var problem = Text(element, out var text);
        value = text;
        return problem;
    }

    public static string? Whole(JsonElement element, out int value) =>
        PlainNumber.TryWhole(element, out value) ? null : $"is not a whole number up to {int.MaxValue}";

    public static string? OptionalWhole(JsonElement element, out int? value)
    {
        var problem = Whole(element, out var whole);
        value = whole;
        return problem;
    }

    public static string? Wholes(JsonElement element, out ValueList<int> value) => List(element, "whole numbers", Whole, out value);

    public static string? Numbers(JsonElement element, out ValueList<double> value) => List(element, "numbers", Number, out value);

    public static string? LongWhole(JsonElement element, out long value) =>
        PlainNumber.TryWhole(element, out value) ? null : $"is not a whole number up to {long.MaxValue}";

    public static string? Number(JsonElement element, out double value)
    {
        value = 0;
        return element.ValueKind == JsonValueKind.Number && element.TryGetDouble(out value) ? null : "is not a number";
    }

    private static string? List<T>(JsonElement element, string what, FieldConverter<T> convert, out ValueList<T> value)
    {
        var items = new List<T>();
        value = [];
        if (element.ValueKind != JsonValueKind.Array)
            return $"is not an array of {what}";
        foreach (var item in element.EnumerateArray())
        {
            if (convert(item, out var one) is { } problem)
                return $"[{items.Count}] {problem}";
            items.Add(one);
        }
        value = items.ToValueList();
        return null;
    }

    public static string? Flag(JsonElement element, out bool value)
    {
        value = element.ValueKind == JsonValueKind.True;
        return element.ValueKind is JsonValueKind.True or JsonValueKind.False ? null : "is neither true nor false";
    }

    public static string? OptionalWord<T>(JsonElement element, out T? value)
        where T : struct, Enum
    {
        value = null;
        if (Text(element, out var text) is { } problem)
            return problem;
        if (!Names.TryParse<T>(text, out var word))
            return $"is {UntrustedText.Quote(text)}; write one of {string.Join(", ", Names.All<T>())}";
        value = word;
        return null;
    }

    public static string? Mode(JsonElement element, out EditMode value) => Named(
        element, EditMode.Default, text => EditMode.TryParse(text, out var mode) ? mode : null,
        $"write one of {EditMode.Names(", ")}", out value);

    public static string? SiteCode(JsonElement element, out Site value) => Named(
        element, Site.Composition, text => Site.TryParse(text, out var site) ? site : null, Site.Expected, out value);

    private static string? Named<T>(JsonElement element, T fallback, Func<string, T?> find, string expected, out T value)
        where T : class
    {
        value = fallback;
        if (Text(element, out var text) is { } problem)
            return problem;
        if (find(text) is not { } found)
            return $"is {UntrustedText.Quote(text)}; {expected}";
        value = found;
        return null;
    }

    public static string? Mask(JsonElement element, out BrushMask? value)
    {
        value = null;
        try
        {
            if (element.ValueKind == JsonValueKind.Array)
                value = MaskRows.Read(element);
            else if (Text(element, out var text) is { } problem)
                return "is neither a string nor an array of rows";
            else
                value = BrushMask.Parse(text);
            return null;
        }
        catch (RecipeException error)
        {
            return string.Join("; ", error.Errors.Select(e => e.Message));
        }
    }
}

/// <summary>Converts a JSON value.</summary>
/// <returns>The problem; null for none.</returns>
internal delegate string? FieldConverter<T>(JsonElement element, out T value);

/// <summary>Reads the fields of a JSON object by name. Reports missing, invalid and unknown fields under their paths.</summary>
internal sealed class FieldReader
{
    private const int MaxErrors = 20;

    private readonly Dictionary<string, JsonElement> _fields = [];
    private readonly string _path;
    private readonly List<RecipeError> _errors;

    public FieldReader(JsonElement element, string path, List<RecipeError> errors)
    {
        _path = path;
        _errors = errors;
        foreach (var property in element.EnumerateObject())
            _fields.Add(property.Name, property.Value);
    }

    /// <summary>Reads a field that may be missing or null.</summary>
    public T Optional<T>(string name, FieldConverter<T> convert, T fallback, Func<T, string?>? rule = null)
    {
        if (!_fields.Remove(name, out var element) || element.ValueKind == JsonValueKind.Null)
            return fallback;
        var problem = convert(element, out var value) ?? rule?.Invoke(value);
        if (problem is null)
            return value;
        Report(name, problem);
        return fallback;
    }

    /// <summary>Reads a required field.</summary>
    public T Required<T>(string name, FieldConverter<T> convert, T fallback, Func<T, string?>? rule = null)
    {
        if (!_fields.TryGetValue(name, out var element) || element.ValueKind == JsonValueKind.Null)
            Report(name, "is missing");
        return Optional(name, convert, fallback, rule);
    }

    /// <summary>Whether there is such a field. One that is null counts as missing.</summary>
    public bool Has(string name) =>
        _fields.TryGetValue(name, out var element) && (element.ValueKind != JsonValueKind.Null || !_fields.Remove(name));

    /// <summary>Reads an optional list of objects, each with its path.</summary>
    public IEnumerable<(JsonElement Element, string Path)> List(string name)
    {
        if (!_fields.Remove(name, out var list) || list.ValueKind == JsonValueKind.Null)
            yield break;
        if (list.ValueKind != JsonValueKind.Array)
        {
            Report(name, "is not a list");
            yield break;
        }

        var index = 0;
        foreach (var element in list.EnumerateArray())
        {
            var path = $"{PathOf(name)}[{index++}]";
            if (element.ValueKind == JsonValueKind.Object)
                yield return (element, path);
            else
                _errors.Add(new(path, "is not an object"));
            if (_errors.Count >= MaxErrors)
                yield break;
        }
    }

    /// <summary>Reports the fields that were not read.</summary>
    public void Finish()
    {
        foreach (var name in _fields.Keys.Take(MaxErrors))
            _errors.Add(new(_path.Length == 0 ? UntrustedText.Quote(name) : $"{_path}.{UntrustedText.Quote(name)}",
                "is not a field of a recipe"));
    }

    private void Report(string name, string problem) => _errors.Add(new(PathOf(name), problem));

    private string PathOf(string name) => _path.Length == 0 ? name : $"{_path}.{name}";
}

/// <summary>
/// Parses untrusted JSON: no comments, trailing commas or duplicate names, and limited depth. Every failure is a
/// <see cref="RecipeException"/>.
/// </summary>
internal static class StrictJson
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 8, AllowDuplicateProperties = false };

    public static JsonDocument Parse(string text, string field)
    {
        try
        {
            return JsonDocument.Parse(Utf8.GetBytes(text), Options);
        }
        catch (JsonException error)
        {
            // The position is known for syntax errors, but not for duplicate names.
            var where = error.LineNumber is { } line ? $" (line {line + 1}, byte {error.BytePositionInLine + 1})" : "";
            throw new RecipeException(field, $"is not valid JSON{where}", error);
        }
        catch (Exception error) when (error is EncoderFallbackException or InvalidOperationException)
        {
            throw new RecipeException(field, "is not valid JSON: it contains an unpaired surrogate", error);
        }
    }
}

/// <summary>The lower-case names of enum values and interventions, in JSON, on the command line and in messages.</summary>
public static class Names
{
    internal const string Reconstruct = "reconstruct";
    internal const string Ablate = "ablate";
    internal const string Icon = "icon";

    public static string Of<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    internal static string? Of<T>(T? value)
        where T : struct, Enum => value is { } given ? Of(given) : null;

    internal static string Of(SiteIntervention intervention) => intervention switch
    {
        SiteIntervention.Reconstruct => Reconstruct,
        SiteIntervention.Ablate => Ablate,
        _ => Icon,
    };

    public static IEnumerable<string> All<T>()
        where T : struct, Enum => Enum.GetValues<T>().Select(Of);

    public static bool TryParse<T>(string text, out T value)
        where T : struct, Enum
    {
        foreach (var candidate in Enum.GetValues<T>())
        {
            if (Of(candidate) == text)
            {
                value = candidate;
                return true;
            }
        }

        value = default;
        return false;
    }
}
