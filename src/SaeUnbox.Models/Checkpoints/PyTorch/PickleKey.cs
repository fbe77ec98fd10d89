using System.Globalization;
using System.Numerics;

namespace SaeUnbox.Models;

/// <summary>Writes the keys of dictionaries as texts, as Python prints them.</summary>
internal static class PickleKey
{
    private const int MaxLength = 256, MaxDepth = 4;

    /// <summary>
    /// The text of a key: a string, number, truth value, None, data type, or a short tuple of them. Null for anything else.
    /// </summary>
    public static string? Text(object? key) => Text(key, 0);

    private static string? Text(object? key, int depth) => key switch
    {
        string text => text,
        long number => number.ToString(CultureInfo.InvariantCulture),
        BigInteger number => number.ToString(CultureInfo.InvariantCulture),
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        bool value => value ? "True" : "False",
        null => "None",
        ElementType type => type.Name,
        object?[] tuple when depth < MaxDepth => Join(tuple, depth),
        _ => null,
    };

    // Stops early, so that a tuple that is shared many times does not fill the memory.
    private static string? Join(object?[] tuple, int depth)
    {
        var joined = "";
        foreach (var item in tuple)
        {
            if (Text(item, depth + 1) is not { } text || joined.Length + text.Length > MaxLength)
                return null;
            joined += joined.Length == 0 ? text : $", {text}";
        }
        return $"({joined})";
    }
}
