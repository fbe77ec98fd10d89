namespace SaeUnbox.Core;

/// <summary>
/// A valid recipe. The doors (hub, API, command line, broker) check what they are given and pass this on, so that nothing behind them
/// checks it again.
/// </summary>
public sealed class CheckedRecipe : IEquatable<CheckedRecipe>
{
    private string? _json;

    private CheckedRecipe(Recipe recipe) => Recipe = recipe;

    public Recipe Recipe { get; }

    /// <exception cref="RecipeException">The recipe is invalid; the message names every invalid field.</exception>
    public static CheckedRecipe Of(Recipe recipe) =>
        recipe.Validate() is { Count: > 0 } errors ? throw new RecipeException(errors) : new(recipe);

    /// <summary>Replaces the mask of one edit, and checks nothing but the mask.</summary>
    /// <param name="mask">Null for everywhere.</param>
    /// <param name="model">The recipe's model, which gives the size of the grid.</param>
    /// <exception cref="RecipeException">There is no such edit, or the mask does not fit.</exception>
    public CheckedRecipe WithMask(int edit, BrushMask? mask, ModelInfo model)
    {
        if (edit < 0 || edit >= Recipe.Edits.Count)
            throw new RecipeException("edit", $"is {edit}, but the recipe has {Recipe.Edits.Count} edits");
        var edits = new FeatureEdit[Recipe.Edits.Count];
        var cells = 0;
        for (var i = 0; i < edits.Length; i++)
        {
            edits[i] = i == edit ? Recipe.Edits[i] with { Mask = mask } : Recipe.Edits[i];
            cells += edits[i].Mask?.Cells.Length ?? 0;
        }
        var changed = Recipe with { Edits = [.. edits] };
        var problem = RecipeRules.MaskCells(cells) ?? ModelFit.MaskProblem(edits[edit], changed, model);
        return problem is null ? new(changed) : throw new RecipeException($"edits[{edit}].mask", problem);
    }

    /// <summary>The canonical JSON, written once.</summary>
    public string ToJson() => _json ??= RecipeWriter.Write(Recipe);

    public bool Equals(CheckedRecipe? other) => other?.Recipe == Recipe;

    public override bool Equals(object? obj) => Equals(obj as CheckedRecipe);

    public override int GetHashCode() => Recipe.GetHashCode();
}
