using System.Text.Json;

namespace SaeUnbox.Core;

/// <summary>Turns a JSON value into a <typeparamref name="T"/>; gives what is wrong, or null where nothing is.</summary>
internal delegate string? FieldConverter<T>(JsonElement element, out T value);

/// <summary>Takes the fields of one JSON object by name, and reports under the field's path what is missing, unusable or left over.</summary>
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

    /// <summary>A field that may be left out or null.</summary>
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

    /// <summary>A field that must be there.</summary>
    public T Required<T>(string name, FieldConverter<T> convert, T fallback, Func<T, string?>? rule = null)
    {
        if (!_fields.TryGetValue(name, out var element) || element.ValueKind == JsonValueKind.Null)
            Report(name, "is missing");
        return Optional(name, convert, fallback, rule);
    }

    /// <summary>The elements of a list that may be left out, each with its path.</summary>
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

    /// <summary>Reports the fields that nothing asked for.</summary>
    public void Finish()
    {
        foreach (var name in _fields.Keys.Take(MaxErrors))
            _errors.Add(new(_path.Length == 0 ? Excerpt.Of(name) : $"{_path}.{Excerpt.Of(name)}", "is not a field of a recipe"));
    }

    private void Report(string name, string problem) => _errors.Add(new(PathOf(name), problem));

    private string PathOf(string name) => _path.Length == 0 ? name : $"{_path}.{name}";
}
