namespace SaeUnbox.Web.Canvases;

/// <summary>A canvas's recipe and the recipes that undo and redo lead to. Not thread-safe.</summary>
internal sealed class UndoHistory(CheckedRecipe current)
{
    private const int MaxSteps = 100;
    private const long MaxBytes = 1 << 20;
    private readonly LinkedList<CheckedRecipe> _past = [];
    private readonly Stack<CheckedRecipe> _future = [];

    public CheckedRecipe Current { get; private set; } = current;

    public bool CanUndo => _past.Count > 0;

    public bool CanRedo => _future.Count > 0;

    /// <summary>Adds a recipe. Drops the oldest recipes if there are too many, and those that redo led to.</summary>
    public void Add(CheckedRecipe next)
    {
        if (next.Equals(Current))
            return;
        _past.AddLast(Current);
        for (var kept =
            Math.Min(MaxSteps, RecipeMemory.CountWithin(MaxBytes, _past.Reverse().Select(past => past.Recipe))); _past.Count > kept;)
            _past.RemoveFirst();
        _future.Clear();
        Current = next;
    }

    /// <summary>Returns the recipe before the current one. Requires <see cref="CanUndo"/>.</summary>
    public CheckedRecipe Undo()
    {
        _future.Push(Current);
        Current = _past.Last!.Value;
        _past.RemoveLast();
        return Current;
    }

    /// <summary>Returns the recipe that the last undo left. Requires <see cref="CanRedo"/>.</summary>
    public CheckedRecipe Redo()
    {
        _past.AddLast(Current);
        return Current = _future.Pop();
    }

    /// <summary>Returns a history of its own with the same steps.</summary>
    public UndoHistory Copy()
    {
        var copy = new UndoHistory(Current);
        foreach (var recipe in _past)
            copy._past.AddLast(recipe);
        foreach (var recipe in _future.Reverse())
            copy._future.Push(recipe);
        return copy;
    }
}

/// <summary>What an earlier canvas leaves to the one that continues it, after a visit to another page or a reload.</summary>
/// <param name="Steps">Where undo and redo lead.</param>
/// <param name="Pictures">The earlier pictures.</param>
/// <param name="Version">The last version. Later ones must differ, because pictures are known by their versions.</param>
internal sealed record CanvasPast(UndoHistory Steps, IReadOnlyList<HistoryEntry> Pictures, long Version)
{
    /// <summary>A past of one recipe, to which undo returns.</summary>
    public static CanvasPast Of(CheckedRecipe recipe) => new(new(recipe), [], 0);
}

/// <summary>An earlier recipe of a canvas.</summary>
/// <param name="Recipe">The recipe.</param>
/// <param name="Version">The canvas's version when it was shown. The browser keeps its thumbnail under this number.</param>
public sealed record HistoryEntry(Recipe Recipe, long Version);

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
