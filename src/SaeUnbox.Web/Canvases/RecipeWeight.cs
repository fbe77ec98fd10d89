namespace SaeUnbox.Web.Canvases;

/// <summary>What recipes that are kept take in memory. Recipes that differ elsewhere share their masks, which count once.</summary>
internal static class RecipeWeight
{
    // Of a recipe and of an edit, beside texts and cells.
    private const int OfRecipe = 256, OfEdit = 128;

    /// <summary>How many of the recipes, the newest first, lie within so many bytes.</summary>
    public static int Within(long bytes, IEnumerable<Recipe> newestFirst)
    {
        var seen = new HashSet<BrushMask>(ReferenceEqualityComparer.Instance);
        var count = 0;
        foreach (var recipe in newestFirst)
        {
            bytes -= OfRecipe + sizeof(char) * (long)(recipe.Prompt.Length + (recipe.NegativePrompt?.Length ?? 0)) + OfEdit * recipe.Edits.Count
                + recipe.Edits.Sum(edit => edit.Mask is { } mask && seen.Add(mask) ? sizeof(float) * (long)mask.Cells.Length : 0);
            if (bytes < 0)
                break;
            count++;
        }
        return count;
    }
}
