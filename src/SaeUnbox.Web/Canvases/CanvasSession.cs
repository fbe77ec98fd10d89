using System.Diagnostics;

namespace SaeUnbox.Web.Canvases;

/// <summary>
/// One canvas: its recipe, the undo history, the jobs that make its pictures, and the newest picture. The page and the brush both change
/// the recipe. Each change gets a new version, and a picture never replaces a newer one.
/// </summary>
internal sealed class CanvasSession(
    string id, string client, CheckedRecipe recipe, IGenerationQueue queue, IModelCatalogue catalogue, ClientLimits limits,
    TimeProvider clock, CanvasPast? past = null)
{
    private readonly Lock _lock = new();
    private readonly UndoHistory _history = Continue(past, recipe);
    private readonly Dictionary<Guid, bool> _isCancelled = []; // of each running job
    private ModelInfo? _model = catalogue.Find(recipe.Recipe.Model);
    private CheckedRecipe _recipe = recipe;
    private long _version = past?.Version ?? 0, _shownVersion, _cancelledVersion;
    private int _viewers;
    private bool _isBusy, _isAbandoned;

    /// <summary>Raised on any thread.</summary>
    public event Action<CanvasUpdate>? Updated;

    /// <summary>A secret: anyone who knows it can paint on the canvas.</summary>
    public string Id => id;

    public string Client => client;

    public Recipe Recipe => Checked.Recipe;

    public CheckedRecipe Checked => Read(() => _recipe);

    public long Version => Read(() => _version);

    public bool CanUndo => Read(() => _history.CanUndo);

    public bool CanRedo => Read(() => _history.CanRedo);

    /// <summary>The earlier pictures that the page lists.</summary>
    public List<HistoryEntry> Pictures { get; } = [.. past?.Pictures ?? []];

    /// <summary>What a canvas that continues this one needs.</summary>
    public CanvasPast Past => Read(() => new CanvasPast(_history.Copy(), [.. Pictures], _version));

    public CanvasUpdate.Frame? NewestFrame { get; private set; }

    /// <summary>How the picture was painted.</summary>
    public Recording Recording { get; } = new();

    /// <summary>Number of pages and connections that follow the canvas.</summary>
    public int Watchers => Updated?.GetInvocationList().Length ?? 0;

    /// <summary>Changes the recipe and requests its picture.</summary>
    /// <param name="change">Returns the new recipe, given the current one.</param>
    /// <param name="isStroke">Whether the brush is still moving. Undo skips such changes.</param>
    /// <returns>The new version.</returns>
    /// <exception cref="RecipeException">
    /// The new recipe is invalid, does not fit its model, or exceeds a visitor's limits. Nothing was changed.
    /// </exception>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits. Nothing was changed.</exception>
    public long Change(Func<Recipe, Recipe> change, bool isStroke = false)
    {
        lock (_lock)
        {
            var next = change(_recipe.Recipe).Check();
            var model = ModelFit.Require(next.Recipe, catalogue, _model);
            var cost = limits.Check(next.Recipe, model);
            if (isStroke)
                limits.AdmitStroke(id);
            else
                limits.Admit(client, cost);
            MarkBusy();
            _model = model;
            if (!isStroke)
                _history.Add(next);
            return Apply(next, isStroke);
        }
    }

    /// <summary>Replaces the mask of one edit, as a stroke does, and requests the picture. Only the mask is checked.</summary>
    /// <param name="edit">Index of the edit.</param>
    /// <param name="mask">Null for the whole picture.</param>
    /// <param name="isLast">Whether the stroke has ended. Undo returns only to the ends of strokes.</param>
    /// <param name="painter">The connection that paints. It is not told of its own stroke until the stroke ends.</param>
    /// <returns>The new version.</returns>
    /// <exception cref="RecipeException">There is no such edit, or the mask does not fit. Nothing was changed.</exception>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits. Nothing was changed.</exception>
    public long Paint(int edit, BrushMask? mask, bool isLast, string? painter = null)
    {
        lock (_lock)
        {
            if (isLast)
                limits.Admit(client, Cost);
            else
                limits.AdmitStroke(id);
            var model = _model ?? throw ModelFit.NoModel(_recipe.Recipe.Model, catalogue.Models.Select(known => known.Name));
            var next = _recipe.WithMask(edit, mask, model);
            MarkBusy();
            if (isLast)
                _history.Add(next);
            return Apply(next, isStroke: !isLast, painter: painter);
        }
    }

    /// <exception cref="TooManyRequestsException">The client exceeds its limits. Nothing was changed.</exception>
    public void Undo()
    {
        lock (_lock)
            if (_history.CanUndo)
            {
                Admit();
                Apply(_history.Undo());
            }
    }

    /// <exception cref="TooManyRequestsException">The client exceeds its limits. Nothing was changed.</exception>
    public void Redo()
    {
        lock (_lock)
            if (_history.CanRedo)
            {
                Admit();
                Apply(_history.Redo());
            }
    }

    /// <summary>Requests the picture of the current recipe again.</summary>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits. Nothing was changed.</exception>
    public void Refresh()
    {
        lock (_lock)
        {
            Admit();
            Apply(_recipe);
        }
    }

    /// <summary>
    /// Requests the picture of the current recipe from a job that was submitted before, here or on a node that has stopped. If that job has
    /// no result for this recipe, a new job makes the picture.
    /// </summary>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits. Nothing was changed.</exception>
    public void Resume(Guid job)
    {
        lock (_lock)
        {
            Admit();
            Apply(_recipe, resumedJob: job);
        }
    }

    /// <summary>Cancels the canvas's waiting and running jobs.</summary>
    public void Cancel()
    {
        Guid[] jobs;
        lock (_lock)
        {
            _cancelledVersion = _version;
            jobs = [.. _isCancelled.Keys];
            foreach (var job in jobs)
                _isCancelled[job] = true;
        }
        foreach (var job in jobs)
            _ = queue.CancelAsync(job).AsTask();
    }

    /// <summary>
    /// Counts a connection that can show pictures. Requests the picture that was abandoned when the last such connection left.
    /// </summary>
    public void AddViewer()
    {
        lock (_lock)
        {
            _viewers++;
            if (!_isAbandoned)
                return;
            (_isAbandoned, _cancelledVersion) = (false, 0);
            _ = RetryAsync(_version, TimeSpan.Zero);
        }
    }

    /// <summary>Uncounts a connection. When the last one leaves, its jobs are cancelled: no open tab waits for them.</summary>
    public void RemoveViewer()
    {
        lock (_lock)
        {
            if (--_viewers > 0)
                return;
            _isAbandoned = _shownVersion < _version;
        }
        Cancel();
    }

    // Of the current picture.
    private double Cost => _model?.CostOf(_recipe.Recipe) ?? 1;

    private void Admit()
    {
        limits.Admit(client, Cost);
        MarkBusy();
    }

    // Lasts until the canvas's last job ends.
    private void MarkBusy()
    {
        if (_isBusy)
            return;
        limits.AddBusyCanvas(client);
        _isBusy = true;
    }

    private long Apply(CheckedRecipe next, bool isStroke = false, Guid? resumedJob = null, string? painter = null)
    {
        (_recipe, _isAbandoned) = (next, false);
        var version = ++_version;
        // Activations are read once the brush rests. While it moves, only the picture counts.
        var job = new GenerationJob(resumedJob ?? Guid.NewGuid(), next)
        {
            Canvas = id,
            Client = client,
            Cost = Cost,
            Picture = PictureFormat.Jpeg,
            Sites = isStroke ? [] : [.. _model?.Sites.Select(sae => sae.Site) ?? []],
        };
        Updated?.Invoke(new CanvasUpdate.Changed(version, next, isStroke, job.Id, painter));
        _isCancelled[job.Id] = false;
        _ = FollowAsync(job, version, resumedJob is not null);
        return version;
    }

    private async Task FollowAsync(GenerationJob job, long version, bool isResumed)
    {
        // Starts a new trace: the connection that brought the change may stay open for hours.
        Activity.Current = null;
        try
        {
            // Submitted under the caller's lock, so jobs arrive in the order of their versions.
            await queue.SubmitAsync(job);
            await foreach (var progress in queue.WatchAsync(job.Id))
                if (isResumed && progress.IsFinal && !IsResultOf(job.Recipe, progress) && !IsCancelled(job.Id))
                    _ = RetryAsync(version, TimeSpan.Zero);
                else
                    Report(progress, version);
        }
        catch (RecipeException exception)
        {
            // Only the model itself can find some errors.
            Publish(new CanvasUpdate.Rejected(version, exception.Message, null));
        }
        catch (QueueFullException exception)
        {
            Publish(new CanvasUpdate.Rejected(version, exception.Message, exception.RetryAfter));
            _ = RetryAsync(version, exception.RetryAfter);
        }
        catch (KeyNotFoundException)
        {
            // The job ended, and the queue dropped its result, before WatchAsync began.
        }
        finally
        {
            lock (_lock)
                if (_isCancelled.Remove(job.Id) && _isCancelled.Count == 0)
                {
                    _isBusy = false;
                    limits.RemoveBusyCanvas(client);
                }
        }
    }

    // Does nothing if the version was replaced or cancelled, or if nobody can see its picture.
    private async Task RetryAsync(long version, TimeSpan delay)
    {
        while (true)
        {
            await Task.Delay(delay, clock);
            lock (_lock)
            {
                if (version != _version || version == _cancelledVersion)
                    return;
                if (_viewers == 0)
                {
                    _isAbandoned = true;
                    return;
                }
                try
                {
                    Admit();
                    Apply(_recipe);
                    return;
                }
                catch (TooManyRequestsException exception)
                {
                    delay = exception.RetryAfter;
                }
            }
        }
    }

    private bool IsCancelled(Guid job) => Read(() => _isCancelled.GetValueOrDefault(job));

    // A client that guesses job ids must not see the pictures of recipes it does not have.
    private static bool IsResultOf(Recipe recipe, GenerationProgress progress) =>
        progress is GenerationProgress.Completed { Result.Recipe: var made } && made == recipe;

    private void Report(GenerationProgress progress, long version)
    {
        switch (progress)
        {
            case GenerationProgress.Completed done:
                lock (_lock)
                {
                    if (version <= _shownVersion)
                        return;
                    _shownVersion = version;
                    NewestFrame = new CanvasUpdate.Frame(version, done.Result, "image/jpeg");
                    Recording.Add(done.Result.Recipe, done.Result.Picture);
                    Updated?.Invoke(NewestFrame);
                }
                break;
            case GenerationProgress.Failed failed:
                Publish(new CanvasUpdate.Rejected(version, failed.Message, null));
                break;
            case GenerationProgress.Superseded:
                break;
            // The visitor did not cancel it: the last viewer left, or a newer version replaced it.
            case GenerationProgress.Cancelled when IsObsolete(version):
                break;
            default:
                Publish(new CanvasUpdate.Status(version, progress));
                break;
        }
    }

    private bool IsObsolete(long version) => Read(() => _isAbandoned || version < _version);

    private T Read<T>(Func<T> state)
    {
        lock (_lock)
            return state();
    }

    private static UndoHistory Continue(CanvasPast? past, CheckedRecipe recipe)
    {
        var history = past?.Steps.Copy() ?? new(recipe);
        history.Add(recipe);
        return history;
    }

    private void Publish(CanvasUpdate update) => Updated?.Invoke(update);
}
