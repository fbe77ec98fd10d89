using System.Text.Json;

namespace SaeUnbox.Core;

/// <summary>The conversions of single JSON values.</summary>
internal static class Fields
{
    public static string? Text(JsonElement element, out string value)
    {
        value = "";
        if (element.ValueKind != JsonValueKind.String)
            return "is not a text";
        try
        {
            value = element.GetString()!;
            return null;
        }
        catch (InvalidOperationException)
        {
            return "holds half of a surrogate pair";
        }
    }

    public static string? OptionalText(JsonElement element, out string? value)
    {
        var problem = Text(element, out var text);
        value = text;
        return problem;
    }

    public static string? Whole(JsonElement element, out int value)
    {
        value = 0;
        return element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out value) ? null : $"is not a whole number up to {int.MaxValue}";
    }

    public static string? OptionalWhole(JsonElement element, out int? value)
    {
        var problem = Whole(element, out var whole);
        value = whole;
        return problem;
    }

    public static string? LongWhole(JsonElement element, out long value)
    {
        value = 0;
        return element.ValueKind == JsonValueKind.Number && element.TryGetInt64(out value) ? null : $"is not a whole number up to {long.MaxValue}";
    }

    public static string? Number(JsonElement element, out double value)
    {
        value = 0;
        return element.ValueKind == JsonValueKind.Number && element.TryGetDouble(out value) ? null : "is not a number";
    }

    public static string? Flag(JsonElement element, out bool value)
    {
        value = element.ValueKind == JsonValueKind.True;
        return element.ValueKind is JsonValueKind.True or JsonValueKind.False ? null : "is neither true nor false";
    }

    public static string? Word<T>(JsonElement element, out T value)
        where T : struct, Enum
    {
        value = default;
        return Text(element, out var text) ?? (Names.TryParse(text, out value) ? null : $"is {Excerpt.Of(text)}; write one of {string.Join(", ", Names.All<T>())}");
    }

    public static string? OptionalWord<T>(JsonElement element, out T? value)
        where T : struct, Enum
    {
        var problem = Word<T>(element, out var word);
        value = word;
        return problem;
    }

    public static string? Site(JsonElement element, out HookSite value)
    {
        value = HookSite.Composition;
        if (Text(element, out var text) is { } problem)
            return problem;
        if (!HookSite.TryParse(text, out var site))
            return $"is {Excerpt.Of(text)}; {HookSite.Expected}";
        value = site;
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
                return "is neither a text nor an array of rows";
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
