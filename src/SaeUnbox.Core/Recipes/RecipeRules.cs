using System.Globalization;

namespace SaeUnbox.Core;

/// <summary>What each single value may be; every rule gives null or what is wrong.</summary>
internal static class RecipeRules
{
    /// <summary>A name, never a path: what names a folder on a server must not walk out of it.</summary>
    public static string? Name(string value) => value switch
    {
        "" => "is empty",
        { Length: > RecipeLimits.MaxNameLength } => $"is {value.Length} characters long; {RecipeLimits.MaxNameLength} are allowed",
        _ when value[0] == '.' || value.AsSpan().Trim().Length != value.Length => "begins with a dot, or begins or ends with a blank",
        _ when value.Any(c => c is '/' or '\\' or ':' || IsUnprintable(c)) => "holds a slash, a colon or a character that does not print",
        _ => Text(value),
    };

    public static string? Prompt(string value) => value.Length > RecipeLimits.MaxPromptLength
        ? $"is {value.Length} characters long; {RecipeLimits.MaxPromptLength} are allowed"
        : Text(value);

    public static string? Seed(long value) => value < 0 ? $"is {value}; it must be 0 or more" : null;

    public static string? Steps(int value) => Between(value, 1, RecipeLimits.MaxSteps);

    public static string? Guidance(double value) => Between(value, 0, RecipeLimits.MaxGuidance);

    public static string? Strength(double value) => Between(value, RecipeLimits.MinStrength, RecipeLimits.MaxStrength);

    public static string? Feature(int value) => value < 0 ? $"is {value}; features count from 0" : null;

    public static string? Side(int value) =>
        value is < RecipeLimits.SideMultiple or > RecipeLimits.MaxSide || value % RecipeLimits.SideMultiple != 0
            ? $"is {value}; it must be a multiple of {RecipeLimits.SideMultiple} from {RecipeLimits.SideMultiple} to {RecipeLimits.MaxSide}"
            : null;

    public static string? Defined<T>(T value)
        where T : struct, Enum => Enum.IsDefined(value) ? null : $"is not one of {string.Join(", ", Names.All<T>())}";

    private static string? Between(double value, double least, double most) =>
        value >= least && value <= most // NaN is neither
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"is {value}; it must lie between {least} and {most}");

    // Half of a pair cannot be written as UTF-8, so it would not survive the way.
    private static string? Text(string value)
    {
        for (var i = 0; i < value.Length; i++)
        {
            if (!char.IsSurrogate(value[i]))
                continue;
            if (i + 1 == value.Length || !char.IsSurrogatePair(value[i], value[i + 1]))
                return "holds half of a surrogate pair";
            i++;
        }

        return null;
    }

    private static bool IsUnprintable(char c) =>
        char.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}
