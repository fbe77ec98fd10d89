using System.Text.RegularExpressions;

namespace SaeUnbox.Web.Sharing;

/// <summary>The id of a shared recipe: 22 characters of base64url.</summary>
internal static partial class ShareId
{
    public const int Length = 22;

    /// <summary>The id without what a chat has put behind it, such as a bracket or a full stop; other texts as they are.</summary>
    public static string Find(string text) => Pasted().Match(text) is { Success: true } match ? match.Groups[1].Value : text;

    [GeneratedRegex(@"^([A-Za-z0-9_-]{22})[^A-Za-z0-9-]*$", RegexOptions.CultureInvariant)]
    private static partial Regex Pasted();
}
