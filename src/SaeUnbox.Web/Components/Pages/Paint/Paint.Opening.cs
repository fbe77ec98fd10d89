using Microsoft.JSInterop;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Components.Pages.Paint;

/// <summary>What comes onto the canvas when the page opens, and from outside later on: links and pictures.</summary>
public sealed partial class Paint
{
    private async Task OpenAsync(IJSObjectReference surface)
    {
        var found = await surface.InvokeAsync<FoundState>("find");
        var (start, note) = StartingRecipe.Choose(found.Link, found.Draft, Layer, Catalogue);
        try
        {
            await UntilAdmittedAsync(() =>
            {
                try
                {
                    _canvas = Canvases.Create(Visitor.Key, start);
                }
                catch (RecipeException exception)
                {
                    // More than a visitor may ask for, as a link of another place may be.
                    note = $"This recipe cannot be used here: {exception.Message}.";
                    _canvas = Canvases.Create(Visitor.Key, Examples.First(Catalogue));
                }
            });
            _canvas!.Updated += Follow;
            _solo = Solo.Restore(found.Solo);
            await surface.InvokeVoidAsync("open", _canvas.Recipe.ToJson(), _canvas.Id);
            if (note is not null)
                Tell(note, isBad: true);
            if (found.PendingMask is { } mask && found.PendingEdit < Recipe.Edits.Count)
                await UntilAdmittedAsync(() => SetMask(found.PendingEdit, mask));
            else
            {
                await surface.InvokeVoidAsync("forget");
                await UntilAdmittedAsync(() =>
                {
                    // The job that was under way, or done, when this page lost its node.
                    if (Guid.TryParse(found.Job, out var job))
                        _canvas.Resume(job);
                    else
                        _canvas.Refresh();
                });
            }
            await SelectAsync(Math.Max(0, Recipe.Edits.Count - 1));
        }
        catch (RecipeException exception)
        {
            Tell(exception.Message, isBad: true);
        }
        catch (JSException exception)
        {
            Tell($"The brush does not reach the server: {FirstLine(exception)}", isBad: true);
        }
        catch (OperationCanceledException)
        {
            // The page was left.
        }
        StateHasChanged();
    }

    /// <summary>A link was put into the address while the studio is open.</summary>
    [JSInvokable]
    public void Linked(string link) => Take(StartingRecipe.OfLink(link, Catalogue), "The link's recipe is on the canvas; Undo brings back what was there.");

    /// <summary>A picture of ours was dropped on the page: its recipe.</summary>
    [JSInvokable]
    public void Dropped(string? json) => Take(json is null ? (null, "That picture carries no recipe that can be read. Drop a PNG that was saved here.") : StartingRecipe.OfJson(json, Catalogue),
        "The picture's recipe is on the canvas.");

    private void Take((Recipe? Recipe, string? Note) found, string done)
    {
        Tell(found.Note ?? done, found.Note is not null);
        if (found.Recipe is { } recipe)
            Change(_ => recipe);
        StateHasChanged();
    }

    // What is in the browser stays there meanwhile.
    private async Task UntilAdmittedAsync(Action work)
    {
        while (true)
        {
            TimeSpan after;
            try
            {
                work();
                return;
            }
            catch (TooManyRequestsException exception)
            {
                after = exception.RetryAfter;
            }
            catch (QueueFullException exception)
            {
                after = exception.RetryAfter;
            }
            Tell(FormattableString.Invariant($"There is too much at once from your address; your draft is kept, and this page tries again in {Math.Ceiling(Math.Max(1, after.TotalSeconds))} s."), isBad: true);
            StateHasChanged();
            await Task.Delay(after, Clock, _gone.Token);
            _notice = null;
        }
    }

    private static string FirstLine(JSException exception) => exception.Message.Split('\n')[0];

    /// <summary>
    /// What the browser kept: a link in the address, a draft and the job of its picture, a stroke that never reached the server, and the
    /// layer that is seen alone.
    /// </summary>
    private sealed record FoundState(string? Link, string? Draft, string? Job, string? Solo, int PendingEdit, string? PendingMask);
}
