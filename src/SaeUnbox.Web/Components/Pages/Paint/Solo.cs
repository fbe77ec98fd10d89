using System.Text.Json;

namespace SaeUnbox.Web.Components.Pages.Paint;

/// <summary>One layer heard alone, and which were on before.</summary>
internal sealed record Solo(int Index, IReadOnlyList<bool> Before)
{
    /// <summary>What <see cref="ToJson"/> gave; null for anything else.</summary>
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

    /// <summary>Whether the recipe is this solo's: an undo, a link or a click may have ended it.</summary>
    public bool IsOn(Recipe recipe) => recipe.Edits.Count == Before.Count && recipe.Edits.Index().All(edit => edit.Item.Enabled == (edit.Index == Index));

    /// <summary>The layer alone.</summary>
    public Recipe Enter(Recipe recipe) => With(recipe, i => i == Index);

    /// <summary>All as they were before.</summary>
    public Recipe Leave(Recipe recipe) => With(recipe, i => Before[i]);

    private static Recipe With(Recipe recipe, Func<int, bool> isOn) => recipe with { Edits = [.. recipe.Edits.Select((edit, i) => edit with { Enabled = isOn(i) })] };
}
