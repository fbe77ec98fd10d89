using System.Diagnostics;

namespace SaeUnbox.Web.Canvases;

/// <summary>The jobs that make its pictures, and those who can see them.</summary>
internal sealed partial class CanvasSession
{
    private readonly Dictionary<Guid, bool> _jobs = []; // and whether they were cancelled here
    private long _shown, _stopped;
    private int _viewers;
    private bool _isBusy, _isGivenUp;

    public CanvasUpdate.Frame? Newest { get; private set; }

    /// <summary>Cancels what waits and runs.</summary>
    public void Cancel()
    {
        Guid[] jobs;
        lock (_lock)
        {
            _stopped = _version;
            jobs = [.. _jobs.Keys];
            foreach (var job in jobs)
                _jobs[job] = true;
        }
        foreach (var job in jobs)
            _ = queue.CancelAsync(job).AsTask();
    }

    /// <summary>One more can show its pictures. What was given up when the last of them left is made now.</summary>
    public void Join()
    {
        lock (_lock)
        {
            _viewers++;
            if (!_isGivenUp)
                return;
            (_isGivenUp, _stopped) = (false, 0);
            _ = MakeLaterAsync(_version, TimeSpan.Zero);
        }
    }

    /// <summary>One less can show its pictures. With the last of them what waits and runs is cancelled: a closed tab wants nothing more.</summary>
    public void Leave()
    {
        lock (_lock)
        {
            if (--_viewers > 0)
                return;
            _isGivenUp = _shown < _version;
        }
        Cancel();
    }

    private long Become(Recipe next, bool isStroke, Guid? resumed = null)
    {
        (_recipe, _isGivenUp) = (next, false);
        var version = ++_version;
        // What is active is read when the brush rests: while it moves, only the picture counts.
        var job = new GenerationJob(resumed ?? Guid.NewGuid(), next.Check())
        {
            Canvas = id, Client = client, Picture = PictureFormat.Jpeg,
            Sites = isStroke ? [] : [.. catalogue.Find(next.Model)?.Sites.Select(sae => sae.Site) ?? []],
        };
        Updated?.Invoke(new CanvasUpdate.Changed(version, next, isStroke, job.Id));
        _jobs[job.Id] = false;
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
                if (isResumed && progress.IsFinal && !IsAnswer(progress, job.Recipe) && !IsCancelled(job.Id))
                    _ = MakeLaterAsync(version, TimeSpan.Zero);
                else
                    Tell(progress, version);
        }
        catch (RecipeException exception)
        {
            // What only the model itself knows.
            Publish(new CanvasUpdate.Rejected(version, exception.Message, null));
        }
        catch (QueueFullException exception)
        {
            Publish(new CanvasUpdate.Rejected(version, exception.Message, exception.RetryAfter));
            _ = MakeLaterAsync(version, exception.RetryAfter);
        }
        catch (KeyNotFoundException)
        {
            // It ended, and was forgotten, before anybody looked.
        }
        finally
        {
            lock (_lock)
                if (_jobs.Remove(job.Id) && _jobs.Count == 0)
                {
                    _isBusy = false;
                    limits.Leave(client);
                }
        }
    }

    // Unless something newer came, it was stopped, or nobody can see it.
    private async Task MakeLaterAsync(long version, TimeSpan after)
    {
        while (true)
        {
            await Task.Delay(after, clock);
            lock (_lock)
            {
                if (version != _version || version == _stopped)
                    return;
                if (_viewers == 0)
                {
                    _isGivenUp = true;
                    return;
                }
                try
                {
                    Admit();
                    Become(_recipe, false);
                    return;
                }
                catch (TooManyRequestsException exception)
                {
                    after = exception.RetryAfter;
                }
            }
        }
    }

    private bool IsCancelled(Guid job)
    {
        lock (_lock)
            return _jobs.GetValueOrDefault(job);
    }

    // So whoever guesses at ids sees only pictures of recipes that he has.
    private static bool IsAnswer(GenerationProgress progress, Recipe recipe) => progress is GenerationProgress.Completed { Result.Recipe: var made } && made == recipe;

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
            // Nobody stopped it: the last who looked is gone, or it was taken up again since.
            case GenerationProgress.Cancelled when IsPast(version):
                break;
            default:
                Publish(new CanvasUpdate.Status(version, progress));
                break;
        }
    }

    private bool IsPast(long version)
    {
        lock (_lock)
            return _isGivenUp || version < _version;
    }

    private void Publish(CanvasUpdate update) => Updated?.Invoke(update);
}
