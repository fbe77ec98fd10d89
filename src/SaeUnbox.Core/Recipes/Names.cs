namespace SaeUnbox.Core;

/// <summary>The words for enumerations and kinds, in JSON, on the command line and in messages: lower case.</summary>
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

    /// <summary>Of all values, in their order.</summary>
    public static IEnumerable<string> All<T>()
        where T : struct, Enum => Enum.GetValues<T>().Select(Of);

    /// <summary>Whether the text is exactly one of the words.</summary>
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
