using System.Globalization;

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
        var text = $"{edit.Site}:{string.Join('+', edit.Features)}:{Text(edit.Strength)}";
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

    private static string Text(IFormattable number) => number.ToString(null, CultureInfo.InvariantCulture);

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
