using System.Text;

namespace SaeUnbox.Web.Components.Shared;

/// <summary>Names files after what they show.</summary>
internal static class FileNames
{
    private const int MaxLength = 60;

    /// <summary>A name without extension, such as "red-house-in-a-meadow-42" for that prompt and seed.</summary>
    public static string Of(Recipe recipe) => $"{Of(recipe.Prompt, "picture")}-{recipe.Seed}";

    /// <summary>The words of a text, such as "red-house-in-a-meadow"; a fixed name if it has none.</summary>
    public static string Of(string text, string otherwise)
    {
        var words = new StringBuilder();
        foreach (var letter in text.ToLowerInvariant())
            if (char.IsLetterOrDigit(letter))
                words.Append(letter);
            else if (words.Length > 0 && words[^1] != '-')
                words.Append('-');
        var name = words.ToString()[..Math.Min(MaxLength, words.Length)].Trim('-');
        return name.Length > 0 ? name : otherwise;
    }
}
