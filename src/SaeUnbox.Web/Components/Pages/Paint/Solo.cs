using System.Text.Json;

namespace SaeUnbox.Web.Components.Pages.Paint;

/// <summary>A layer that is shown alone, and which layers were on before.</summary>
internal sealed record Solo(int Index, IReadOnlyList<bool> Before)
{
    /// <summary>Reads the text of <see cref="ToJson"/>; null if it is anything else.</summary>
    public static Solo? Restore(string? json)
    {
        try
        {
            return json is { Length: > 0 } && JsonSerializer.Deserialize<Solo>(json) is { Before: not null } solo ? solo : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public string ToJson() => JsonSerializer.Serialize(this);

    /// <summary>Whether the recipe shows only this layer. An undo, a link or a click may have changed that.</summary>
    public bool IsOn(Recipe recipe) =>
        recipe.Edits.Count == Before.Count && recipe.Edits.Index().All(edit => edit.Item.Enabled == (edit.Index == Index));

    /// <summary>Switches on only this layer.</summary>
    public Recipe Enter(Recipe recipe) => With(recipe, i => i == Index);

    /// <summary>Restores which layers were on before.</summary>
    public Recipe Leave(Recipe recipe) => With(recipe, i => Before[i]);

    private static Recipe With(Recipe recipe, Func<int, bool> isOn) =>
        recipe with { Edits = [.. recipe.Edits.Select((edit, i) => edit with { Enabled = isOn(i) })] };
}
