namespace SaeUnbox.Web.Canvases;

/// <summary>A canvas's recipe and the recipes that undo and redo lead to. Not thread-safe.</summary>
internal sealed class UndoHistory(CheckedRecipe current)
{
    private const int MaxSteps = 100;
    private const long MaxBytes = 1 << 20;
    private readonly LinkedList<CheckedRecipe> _past = [];
    private readonly Stack<CheckedRecipe> _future = [];
    private CheckedRecipe _current = current;

    public bool CanUndo => _past.Count > 0;

    public bool CanRedo => _future.Count > 0;

    /// <summary>Adds a recipe. Drops the oldest recipes if there are too many, and those that redo led to.</summary>
    public void Add(CheckedRecipe next)
    {
        if (next.Equals(_current))
            return;
        _past.AddLast(_current);
        for (var kept =
            Math.Min(MaxSteps, RecipeMemory.CountWithin(MaxBytes, _past.Reverse().Select(past => past.Recipe))); _past.Count > kept;)
            _past.RemoveFirst();
        _future.Clear();
        _current = next;
    }

    /// <summary>Returns the recipe before the current one. Requires <see cref="CanUndo"/>.</summary>
    public CheckedRecipe Undo()
    {
        _future.Push(_current);
        _current = _past.Last!.Value;
        _past.RemoveLast();
        return _current;
    }

    /// <summary>Returns the recipe that the last undo left. Requires <see cref="CanRedo"/>.</summary>
    public CheckedRecipe Redo()
    {
        _past.AddLast(_current);
        return _current = _future.Pop();
    }
}

/// <summary>Estimates how much memory a list of recipes takes. Recipes share masks; a shared mask counts once.</summary>
internal static class RecipeMemory
{
    // Estimated sizes without texts and cells.
    private const int RecipeBytes = 256, EditBytes = 128;

    /// <summary>How many of the recipes, counted from the newest, fit into so many bytes.</summary>
    public static int CountWithin(long bytes, IEnumerable<Recipe> newestFirst)
    {
        var seen = new HashSet<BrushMask>(ReferenceEqualityComparer.Instance);
        var count = 0;
        foreach (var recipe in newestFirst)
        {
            bytes -= RecipeBytes + sizeof(char) * (long)(recipe.Prompt.Length + (recipe.NegativePrompt?.Length ?? 0))
                + EditBytes * recipe.Edits.Count
                + recipe.Edits.Sum(edit => edit.Mask is { } mask && seen.Add(mask) ? sizeof(float) * (long)mask.Cells.Length : 0);
            if (bytes < 0)
                break;
            count++;
        }
        return count;
    }
}
