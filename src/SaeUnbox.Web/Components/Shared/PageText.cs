using System.Globalization;
using System.Text;

namespace SaeUnbox.Web.Components.Shared;

/// <summary>Writes a recipe as a command of saeunbox, quoted for a POSIX shell.</summary>
internal static class CliCommand
{
    public static string Of(Recipe recipe)
    {
        List<string> words =
            ["saeunbox", "generate", "--prompt", Quote(recipe.Prompt), "--seed", Text(recipe.Seed), "--steps", Text(recipe.Steps)];
        if (recipe.Guidance > 0)
            words.AddRange(["--guidance", Text(recipe.Guidance)]);
        if (recipe.NegativePrompt is { } negative)
            words.AddRange(["--negative", Quote(negative)]);
        words.AddRange(["--width", Text(recipe.Width), "--height", Text(recipe.Height)]);
        foreach (var edit in recipe.Edits.Where(edit => edit.Enabled))
            words.AddRange(["--edit", Quote(Edit(edit, recipe.Steps))]);
        if (recipe.Overlap != Overlap.Sum)
            words.AddRange(["--overlap", Names.Of(recipe.Overlap)]);
        foreach (var intervention in recipe.Interventions)
            if (intervention is SiteIntervention.Ablate or SiteIntervention.Reconstruct)
                words.AddRange([intervention is SiteIntervention.Ablate ? "--ablate" : "--reconstruct", intervention.Site.Code]);
        words.AddRange(["--out", "picture.png"]);
        return string.Join(' ', words);
    }

    private static string Edit(FeatureEdit edit, int steps)
    {
        var text = $"{edit.Site}:{string.Join('+', edit.Weighted.Select(Feature))}:{Text(edit.Strength)}";
        if (edit.Mode != EditMode.Default)
            text += $":{edit.Mode}";
        if (edit.Mode.FindsCells)
            text += $":{Text(edit.Threshold)}:{Text(edit.Grow)}";
        if (edit.Mask is { } mask)
            text += $"@{mask}";
        if (edit.FirstStep > 0 || edit.LastStep is not null)
            text += $"#{edit.FirstStep}-{edit.LastStep ?? steps}";
        return text;
    }

    private static string Feature(WeightedFeature one) =>
        one.Weight == 1 ? Text(one.Feature) : $"{Text(one.Feature)}*{Text(one.Weight)}";

    private static string Text(IFormattable number) => number.ToString(null, CultureInfo.InvariantCulture);

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}

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

/// <summary>Writes activations in the unit that all pages use: multiples of the feature's mean where it is active.</summary>
internal static class ActivationText
{
    public const string Unit = "×1 is the feature's mean where it is active";

    /// <summary>Such as "×0.042", "×0.42" or "×4.2"; the plain number if the feature's mean is unknown.</summary>
    public static string Of(FeatureStatistics? statistics, double activation) =>
        statistics?.Relative(activation) is { } times ? Times(times) : Raw(activation);

    public static string Times(double times) =>
        times.ToString(times < .0995 ? "×0.000" : times < .995 ? "×0.00" : "×0.0", CultureInfo.InvariantCulture);

    /// <summary>The activation as the autoencoder gives it.</summary>
    public static string Raw(double activation) => activation.ToString("0.###", CultureInfo.InvariantCulture);
}

/// <summary>Says how many features a search found.</summary>
internal static class FoundText
{
    /// <param name="total">Null before the first search.</param>
    public static string Of(int? total) => total switch
    {
        null => "",
        0 => "No feature matches. Try a word for something that pictures show, or a number.",
        1 => "1 feature",
        _ => $"{total} features",
    };
}
