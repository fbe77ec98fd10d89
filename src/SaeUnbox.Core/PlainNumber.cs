using System.Numerics;

namespace SaeUnbox.Core;

/// <summary>
/// Reads the numbers of options, settings and files, alike on every machine: a decimal point, no thousands separators, nothing infinite.
/// A number without a fraction is a whole number however it is written, such as 7, 7.0 or 7e0.
/// </summary>
public static class PlainNumber
{
    // Enough for every double's shortest text and far more; longer texts are not numbers that somebody wrote.
    private const int MaxLength = 400;

    private static readonly char[] ExponentMarks = ['e', 'E'];

    /// <summary>Reads a finite number such as 7.5, -2 or 1e-3.</summary>
    public static bool TryReal(string? text, out double value)
    {
        if (text?.Length <= MaxLength && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value)
            && double.IsFinite(value))
            return true;
        value = 0;
        return false;
    }

    /// <summary>Reads a whole number. A fraction, however small, and a number beyond the type's range are refused.</summary>
    public static bool TryWhole<T>(string? text, out T value) where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        value = T.Zero;
        return text?.Length <= MaxLength
            && (T.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value) || TryIntegral(text, out value));
    }

    /// <summary>Reads a JSON number that is whole.</summary>
    public static bool TryWhole<T>(JsonElement element, out T value) where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        value = T.Zero;
        return element.ValueKind == JsonValueKind.Number && TryWhole(element.GetRawText(), out value);
    }

    // Moves the decimal point in the text, because floating-point numbers would round 9007199254740993.0 or 1.00000000000000000001.
    private static bool TryIntegral<T>(string text, out T value) where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        value = T.Zero;
        if (!TryReal(text, out _))
            return false;
        var parts = text.Trim().Split(ExponentMarks);
        var exponent = 0;
        if (parts.Length > 1 && !int.TryParse(parts[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent))
            return false;
        var point = parts[0].IndexOf('.', StringComparison.Ordinal);
        var fraction = point < 0 ? 0 : parts[0].Length - point - 1;
        var digits = parts[0].Replace(".", "", StringComparison.Ordinal).TrimStart('+');
        var significant = digits.TrimEnd('0');
        if (significant is "" or "-")
            return true;
        var zeros = digits.Length - significant.Length + (long)exponent - fraction;
        return zeros is >= 0 and < MaxLength
            && T.TryParse(significant + new string('0', (int)zeros), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture,
                out value);
    }
}

/// <summary>Reads integers of JSON that are written with a fraction of zero, such as 7.0.</summary>
public sealed class WholeNumberConverter<T> : JsonConverter<T> where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
{
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        PlainNumber.TryWhole(JsonElement.ParseValue(ref reader), out T value)
            ? value
            : throw new JsonException($"a whole number from {T.MinValue} to {T.MaxValue} is expected");

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WriteRawValue(value.ToString(null, CultureInfo.InvariantCulture));
}
