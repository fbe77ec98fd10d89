namespace SaeUnbox.Models;

internal static class Listing
{
    /// <summary>Names for an error, the rest as a count.</summary>
    public static string Of(IReadOnlyCollection<string> names, int limit = 20)
    {
        var shown = string.Join(", ", names.Take(limit));
        return names.Count <= limit ? shown : $"{shown} and {names.Count - limit} more";
    }
}
