using System.Globalization;
using System.Text;

namespace SaeUnbox.Core;

/// <summary>
/// Writes the canonical JSON: fields in a fixed order, no blanks, shortest numbers that read back the same. Written by hand so
/// that the text, and with it the hash, does not change with a serializer's escaping rules.
/// </summary>
internal static class RecipeWriter
{
    public static string Write(Recipe recipe)
    {
        var json = new StringBuilder("{\"version\":").Append(Recipe.Version);
        json.Text("model", recipe.Model).Text("saes", recipe.Saes)
            .Text("prompt", recipe.Prompt).Text("negativePrompt", recipe.NegativePrompt)
            .Number("seed", recipe.Seed).Number("steps", recipe.Steps).Number("guidance", recipe.Guidance)
            .Number("width", recipe.Width).Number("height", recipe.Height)
            .Text("dtype", Names.Of(recipe.Dtype)).Text("vae", Names.Of(recipe.Vae));
        json.Array("edits", recipe.Edits, Edit).Array("interventions", recipe.Interventions, Intervention);
        return json.Append('}').ToString();
    }

    private static void Edit(StringBuilder json, FeatureEdit edit)
    {
        json.Text("site", edit.Site.Code).Number("feature", edit.Feature)
            .Text("mode", Names.Of<EditMode>(edit.Mode)).Number("strength", edit.Strength).Text("mask", edit.Mask?.ToString());
        if (edit.FirstStep != 0)
            json.Number("firstStep", edit.FirstStep);
        if (edit.LastStep is { } last)
            json.Number("lastStep", last);
        if (!edit.Enabled)
            json.Name("enabled").Append("false");
    }

    private static void Intervention(StringBuilder json, SiteIntervention intervention)
    {
        json.Text("kind", Names.Of(intervention)).Text("site", intervention.Site.Code);
        if (intervention is SiteIntervention.Icon icon)
            json.Number("feature", icon.Feature);
    }

    private static StringBuilder Array<T>(this StringBuilder json, string name, ValueList<T> items, Action<StringBuilder, T> write)
    {
        if (items.Count == 0)
            return json;
        json.Name(name).Append('[');
        for (var i = 0; i < items.Count; i++)
        {
            json.Append(i == 0 ? "{" : ",{");
            write(json, items[i]);
            json.Append('}');
        }

        return json.Append(']');
    }

    private static StringBuilder Name(this StringBuilder json, string name) =>
        (json[^1] == '{' ? json : json.Append(',')).Append('"').Append(name).Append("\":");

    private static StringBuilder Number(this StringBuilder json, string name, long value) =>
        json.Name(name).Append(value.ToString(CultureInfo.InvariantCulture));

    // Negative zero equals zero, so it must be written as zero.
    private static StringBuilder Number(this StringBuilder json, string name, double value) =>
        json.Name(name).Append((value + 0.0).ToString("R", CultureInfo.InvariantCulture));

    private static StringBuilder Text(this StringBuilder json, string name, string? value)
    {
        if (value is null)
            return json;
        json.Name(name).Append('"');
        foreach (var c in value)
        {
            if (c is '"' or '\\')
                json.Append('\\').Append(c);
            else if (c < ' ')
                json.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
            else
                json.Append(c);
        }

        return json.Append('"');
    }
}
