namespace SaeUnbox.Web.Canvases;

/// <summary>
/// One canvas: the recipe that is painted on, what it was before, and the newest picture. The page and the brush both change it; every
/// change has a version, and a picture older than the one shown is never shown.
/// </summary>
internal sealed partial class CanvasSession(string id, string client, Recipe recipe, IGenerationQueue queue, IModelCatalogue catalogue, ClientLimits limits, TimeProvider clock)
{
    private const int MostUndone = 100;
    private const long MostUndoneBytes = 1 << 20;
    private readonly Lock _lock = new();
    private readonly LinkedList<Recipe> _past = [];
    private readonly Stack<Recipe> _future = [];
    private ModelInfo? _model = catalogue.Find(recipe.Model);
    private Recipe _recipe = recipe, _committed = recipe;
    private long _version;

    /// <summary>Names the canvas; who knows it may paint on it.</summary>
    public string Id => id;

    public string Client => client;

    /// <summary>News, told on any thread.</summary>
    public event Action<CanvasUpdate>? Updated;

    public Recipe Recipe { get { lock (_lock) return _recipe; } }

    public long Version { get { lock (_lock) return _version; } }

    public bool CanUndo { get { lock (_lock) return _past.Count > 0; } }

    public bool CanRedo { get { lock (_lock) return _future.Count > 0; } }

    /// <summary>Number of those who look at it.</summary>
    public int Watchers => Updated?.GetInvocationList().Length ?? 0;

    /// <summary>Makes a change and asks for its picture.</summary>
    /// <param name="change">From the recipe as it is to what it becomes.</param>
    /// <param name="isStroke">The change is on its way, as while a brush moves: not yet one to come back to.</param>
    /// <returns>The new version.</returns>
    /// <exception cref="RecipeException">The new recipe is not valid, does not fit its model, or is more than a visitor may ask for; nothing was changed.</exception>
    /// <exception cref="TooManyRequestsException">The client asks for too much; nothing was changed.</exception>
    public long Change(Func<Recipe, Recipe> change, bool isStroke = false)
    {
        lock (_lock)
        {
            if (isStroke)
                limits.AdmitStroke(id);
            else
                limits.Admit(client);
            var next = change(_recipe).Check().Recipe;
            limits.Check(next);
            var model = ModelFit.Require(next, catalogue, _model);
            Reserve();
            _model = model;
            if (!isStroke && next != _committed)
            {
                _past.AddLast(_committed);
                for (var kept = Math.Min(MostUndone, RecipeWeight.Within(MostUndoneBytes, _past.Reverse())); _past.Count > kept;)
                    _past.RemoveFirst();
                _future.Clear();
                _committed = next;
            }
            return Become(next, isStroke);
        }
    }

    /// <summary>Back to what it was before the last change that was no passing one.</summary>
    /// <exception cref="TooManyRequestsException">The client asks for too much; nothing was changed.</exception>
    public void Undo()
    {
        lock (_lock)
        {
            if (_past.Last is not { } last)
                return;
            Admit();
            _past.RemoveLast();
            _future.Push(_committed);
            Become(_committed = last.Value, false);
        }
    }

    /// <exception cref="TooManyRequestsException">The client asks for too much; nothing was changed.</exception>
    public void Redo()
    {
        lock (_lock)
        {
            if (_future.Count == 0)
                return;
            Admit();
            _past.AddLast(_committed);
            Become(_committed = _future.Pop(), false);
        }
    }

    /// <summary>Makes the picture of the recipe as it is, though nothing changed.</summary>
    /// <exception cref="TooManyRequestsException">The client asks for too much; nothing was changed.</exception>
    public void Refresh()
    {
        lock (_lock)
        {
            Admit();
            Become(_recipe, false);
        }
    }

    /// <summary>
    /// The picture of the recipe as it is, by a job that was asked for before, here or on a node that is gone: its result where there is one or
    /// still comes, else a job of its own.
    /// </summary>
    /// <exception cref="TooManyRequestsException">The client asks for too much; nothing was changed.</exception>
    public void Resume(Guid job)
    {
        lock (_lock)
        {
            Admit();
            Become(_recipe, false, job);
        }
    }

    private void Admit()
    {
        limits.Admit(client);
        Reserve();
    }

    // Until its last job has ended.
    private void Reserve()
    {
        if (_isBusy)
            return;
        limits.Enter(client);
        _isBusy = true;
    }
}
