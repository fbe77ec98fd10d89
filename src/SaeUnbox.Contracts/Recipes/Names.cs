namespace SaeUnbox.Contracts;

/// <summary>The words of the JSON for enumerations and kinds: lower case.</summary>
internal static class Names
{
    public const string Reconstruct = "reconstruct";
    public const string Ablate = "ablate";
    public const string Icon = "icon";

    public static string? Of<T>(T? value)
        where T : struct, Enum => value?.ToString().ToLowerInvariant();

    public static string Of(SiteIntervention intervention) => intervention switch
    {
        SiteIntervention.Reconstruct => Reconstruct,
        SiteIntervention.Ablate => Ablate,
        _ => Icon,
    };

    public static IEnumerable<string> All<T>()
        where T : struct, Enum => Enum.GetValues<T>().Select(value => Of<T>(value)!);

    public static bool TryParse<T>(string text, out T value)
        where T : struct, Enum
    {
        foreach (var candidate in Enum.GetValues<T>())
        {
            if (Of<T>(candidate) == text)
            {
                value = candidate;
                return true;
            }
        }

        value = default;
        return false;
    }
}
