using System.Security.Cryptography;
using Microsoft.JSInterop;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Components.Pages.Paint;

/// <summary>What the controls do to the recipe.</summary>
public sealed partial class Paint
{
    private void Attempt(Action change)
    {
        try
        {
            change();
        }
        catch (Exception exception) when (exception is RecipeException or TooManyRequestsException or QueueFullException)
        {
            _isBusy = false;
            Tell(exception.Message, isBad: true);
        }
    }

    private void Change(Func<Recipe, Recipe> change, bool isPassing = false) => Attempt(() =>
    {
        try
        {
            _canvas?.Change(change, isPassing);
        }
        catch (TooManyRequestsException) when (isPassing)
        {
            // The one that stays is still to come.
        }
    });

    private void Generate(string prompt)
    {
        (_isBusy, _notice) = (true, null);
        Change(recipe => recipe with { Prompt = prompt, Seed = _isSeedLocked ? recipe.Seed : RandomNumberGenerator.GetInt32(int.MaxValue) });
    }

    private void ApplySettings(Recipe next)
    {
        _isBusy = true;
        Change(recipe => next with { Edits = recipe.Edits });
    }

    private async Task AddEdit(FeatureCard card)
    {
        if (Model?.Find(card.Site) is not { } sae)
            return;
        ChangeLayers(edits => edits.Add(NewLayer.Blank(sae, card.Feature, Recipe)));
        _notice = null;
        await SelectAsync(Recipe.Edits.Count - 1);
    }

    private void ChangeEdit((int Index, FeatureEdit Edit, bool IsPassing) change) =>
        Change(recipe => recipe with { Edits = [.. recipe.Edits.Select((edit, i) => i == change.Index ? change.Edit with { Mask = edit.Mask } : edit)] }, change.IsPassing);

    private async Task RemoveEdit(int index)
    {
        ChangeLayers(edits => edits.RemoveAt(index));
        await SelectAsync(Math.Min(_selected, Recipe.Edits.Count - 1));
    }

    private async Task MoveEdit((int From, int To) move)
    {
        if (move.To < 0 || move.To >= Recipe.Edits.Count)
            return;
        ChangeLayers(edits =>
        {
            var moved = edits[move.From];
            edits.RemoveAt(move.From);
            edits.Insert(move.To, moved);
        });
        await SelectAsync(move.To);
    }

    private async Task DuplicateEdit(int index)
    {
        ChangeLayers(edits => edits.Insert(index + 1, edits[index]));
        await SelectAsync(index + 1);
    }

    // Which layers there are; a solo ends with it.
    private void ChangeLayers(Action<List<FeatureEdit>> change) => Change(recipe =>
    {
        List<FeatureEdit> edits = [.. (CurrentSolo?.Leave(recipe) ?? recipe).Edits];
        change(edits);
        return recipe with { Edits = [.. edits] };
    });

    private Solo? CurrentSolo => _solo?.IsOn(Recipe) == true ? _solo : null;

    private async Task SetSoloAsync(int index)
    {
        var current = CurrentSolo;
        _solo = current?.Index == index ? null : new Solo(index, current?.Before ?? [.. Recipe.Edits.Select(edit => edit.Enabled)]);
        Change(recipe => _solo?.Enter(recipe) ?? current!.Leave(recipe));
        if (_surface is not null)
            await _surface.InvokeVoidAsync("keepSolo", _solo?.ToJson());
    }

    private void SetMask(int index, string mask)
    {
        var painted = BrushMask.Parse(mask);
        _canvas?.Change(recipe => recipe with { Edits = [.. recipe.Edits.Select((edit, i) => i == index ? edit with { Mask = painted } : edit)] });
    }

    private void Restore(int entry)
    {
        _current = entry;
        _isBusy = true;
        Change(_ => _history[entry].Recipe);
    }

    private async Task SelectAsync(int index)
    {
        _selected = index;
        await ShowLayerAsync();
        StateHasChanged();
    }

    private async Task SetBrushAsync(BrushState brush)
    {
        _brush = brush;
        if (_surface is not null)
            await _surface.InvokeVoidAsync("setBrush", brush.Size, brush.Hardness, brush.Tool == Tool.Eraser);
        await KeepSettingsAsync();
    }

    /// <summary>The brush changed its own size by a key.</summary>
    [JSInvokable]
    public async Task BrushSized(int size)
    {
        _brush = _brush with { Size = size };
        StateHasChanged();
        await KeepSettingsAsync();
    }

    /// <summary>A key asked for a step back or forth.</summary>
    [JSInvokable]
    public void Step(bool forth) => Attempt(() =>
    {
        if (forth)
            _canvas?.Redo();
        else
            _canvas?.Undo();
    });

    private async Task FillAsync(Fill fill)
    {
        if (_surface is not null)
            await _surface.InvokeVoidAsync("fill", fill.ToString().ToLowerInvariant());
    }

    private async Task ShowLayerAsync()
    {
        if (_surface is null)
            return;
        // Read before the recipe: a mask may be newer than its version says, never older.
        var version = _canvas?.Version ?? 0;
        var grid = SelectedEdit is { } edit ? Model?.Find(edit.Site)?.Grid(Recipe.Width, Recipe.Height) : null;
        await _surface.InvokeVoidAsync("showLayer", new
        {
            Version = version, Index = grid is null ? -1 : _selected, Rows = grid?.Rows ?? 0, Columns = grid?.Columns ?? 0, Site = SelectedEdit?.Site.Code ?? "",
            Mask = SelectedEdit?.Mask?.ToString(), Json = Recipe.ToJson(),
            Masks = Recipe.Edits.Where(one => one.Enabled).Select(one => one.Mask?.ToString()).ToArray(),
        });
    }

    private async Task SetViewAsync(View view)
    {
        var next = _view = _view == view ? View.Picture : view;
        Compare(null);
        if (_surface is null)
            return;
        var outside = await _surface.InvokeAsync<double?>("setView", next.ToString().ToLowerInvariant());
        if (_view == next)
            Compare(outside);
    }

    private async Task ZoomAsync(int step)
    {
        if (_surface is not null)
            await _surface.InvokeVoidAsync("zoom", step);
    }

    private async Task SaveAsync()
    {
        try
        {
            if (_surface is not null)
                await _surface.InvokeVoidAsync("save", Recipe.ToJson());
        }
        catch (JSException exception)
        {
            Tell($"The picture could not be saved: {FirstLine(exception)}", isBad: true);
        }
    }

    private async Task ShowIconAsync(int index)
    {
        var edit = Recipe.Edits[index];
        var title = $"{Atlas?.Find(edit.Site, edit.Feature)?.Name ?? "feature"} {edit.Site} #{edit.Feature}";
        var asked = _icon = new(title, null);
        var recipe = Recipe with { Prompt = "", Edits = [], Interventions = [new SiteIntervention.Icon(edit.Site, edit.Feature)] };
        try
        {
            var picture = await _surface!.InvokeAsync<string>("pictureOf", recipe.ToJson());
            // Who closed it meanwhile does not want it any more.
            if (_icon == asked)
                _icon = asked with { Source = picture };
        }
        catch (JSException exception)
        {
            _icon = null;
            Tell(FirstLine(exception), isBad: true);
        }
    }
}
