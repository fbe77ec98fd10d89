using System.Diagnostics;
using SaeUnbox.Contracts;

namespace SaeUnbox.Web.Canvases;

/// <summary>
/// One canvas: the recipe that is painted on, what it was before, and the newest picture. The page and the brush both change it; every
/// change has a version, and a picture older than the one shown is never shown.
/// </summary>
internal sealed class CanvasSession(string id, string client, Recipe recipe, IGenerationQueue queue, IModelCatalogue catalogue, ClientLimits limits)
{
    private const int MostUndone = 100;
    private readonly Lock _lock = new();
    private readonly LinkedList<Recipe> _past = [];
    private readonly Stack<Recipe> _future = [];
    private readonly HashSet<Guid> _jobs = [];
    private Recipe _recipe = recipe, _committed = recipe;
    private long _version, _shown;

    /// <summary>Names the canvas; who knows it may paint on it.</summary>
    public string Id => id;

    public string Client => client;

    /// <summary>News, told on any thread.</summary>
    public event Action<CanvasUpdate>? Updated;

    public Recipe Recipe { get { lock (_lock) return _recipe; } }

    public long Version { get { lock (_lock) return _version; } }

    public CanvasUpdate.Frame? Newest { get; private set; }

    public bool CanUndo { get { lock (_lock) return _past.Count > 0; } }

    public bool CanRedo { get { lock (_lock) return _future.Count > 0; } }

    /// <summary>Number of those who look at it.</summary>
    public int Watchers => Updated?.GetInvocationList().Length ?? 0;

    /// <summary>Makes a change and asks for its picture.</summary>
    /// <param name="change">From the recipe as it is to what it becomes.</param>
    /// <param name="isStroke">The change is on its way, as while a brush moves: not yet one to come back to.</param>
    /// <returns>The new version.</returns>
    /// <exception cref="RecipeException">The new recipe is not valid, or more than a visitor may ask for; nothing was changed.</exception>
    /// <exception cref="TooManyRequestsException">The client asks for too much; nothing was changed.</exception>
    public long Change(Func<Recipe, Recipe> change, bool isStroke = false)
    {
        lock (_lock)
        {
            var next = change(_recipe).EnsureValid();
            limits.Admit(client, next);
            if (!isStroke && next != _committed)
            {
                _past.AddLast(_committed);
                if (_past.Count > MostUndone)
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
            limits.Admit(client, last.Value);
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
            if (!_future.TryPeek(out var next))
                return;
            limits.Admit(client, next);
            _future.Pop();
            _past.AddLast(_committed);
            Become(_committed = next, false);
        }
    }

    /// <summary>Makes the picture of the recipe as it is, though nothing changed.</summary>
    public void Refresh()
    {
        lock (_lock)
        {
            limits.Admit(client, _recipe);
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
            limits.Admit(client, _recipe);
            Become(_recipe, false, job);
        }
    }

    /// <summary>Cancels what waits and runs.</summary>
    public void Cancel()
    {
        Guid[] jobs;
        lock (_lock)
            jobs = [.. _jobs];
        foreach (var job in jobs)
            _ = queue.CancelAsync(job).AsTask();
    }

    private long Become(Recipe next, bool isStroke, Guid? resumed = null)
    {
        _recipe = next;
        var version = ++_version;
        // What is active is read when the brush rests: while it moves, only the picture counts.
        var job = new GenerationJob(resumed ?? Guid.NewGuid(), next)
        {
            Canvas = id, Client = client, Picture = PictureFormat.Jpeg,
            Sites = isStroke ? [] : [.. catalogue.Find(next.Model)?.Sites.Select(sae => sae.Site) ?? []],
        };
        Updated?.Invoke(new CanvasUpdate.Changed(version, next, isStroke, job.Id));
        _jobs.Add(job.Id);
        _ = FollowAsync(job, version, resumed is not null);
        return version;
    }

    private async Task FollowAsync(GenerationJob job, long version, bool isResumed)
    {
        // A trace of its own: the connection it came by may stay open for hours.
        Activity.Current = null;
        try
        {
            // Handed over within the caller's lock, so that jobs arrive in the order of their versions.
            await queue.SubmitAsync(job);
            await foreach (var progress in queue.WatchAsync(job.Id))
                if (isResumed && progress.IsFinal && !IsAnswer(progress, job.Recipe))
                    MakeAnew(version);
                else
                    Tell(progress, version);
        }
        catch (RecipeException exception)
        {
            Publish(new CanvasUpdate.Rejected(version, exception.Message, null));
        }
        catch (QueueFullException exception)
        {
            Publish(new CanvasUpdate.Rejected(version, exception.Message, exception.RetryAfter));
        }
        catch (KeyNotFoundException)
        {
            // It ended, and was forgotten, before anybody looked.
        }
        finally
        {
            lock (_lock)
                _jobs.Remove(job.Id);
        }
    }

    // So whoever guesses at ids sees only pictures of recipes that he has.
    private static bool IsAnswer(GenerationProgress progress, Recipe recipe) => progress is GenerationProgress.Completed { Result.Recipe: var made } && made == recipe;

    private void MakeAnew(long version)
    {
        lock (_lock)
            if (version == _version)
                Become(_recipe, false);
    }

    private void Tell(GenerationProgress progress, long version)
    {
        switch (progress)
        {
            case GenerationProgress.Completed done:
                lock (_lock)
                {
                    if (version <= _shown)
                        return;
                    _shown = version;
                    var frame = new CanvasUpdate.Frame(version, done.Result, "image/jpeg");
                    Newest = frame;
                    Updated?.Invoke(frame);
                }
                break;
            case GenerationProgress.Failed failed:
                Publish(new CanvasUpdate.Rejected(version, failed.Message, null));
                break;
            case GenerationProgress.Superseded:
                break;
            default:
                Publish(new CanvasUpdate.Status(version, progress));
                break;
        }
    }

    private void Publish(CanvasUpdate update) => Updated?.Invoke(update);
}
