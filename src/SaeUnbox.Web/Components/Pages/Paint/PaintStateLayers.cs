using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Components.Pages.Paint;

// Layers, and regions of the picture that become layers.
internal sealed partial class PaintState
{
    private Solo? _solo;
    private BrushMask? _copiedMask, _region;

    /// <summary>The layer that is shown alone; null if there is none.</summary>
    public Solo? Solo => _solo?.IsOn(Recipe) == true ? _solo : null;

    public bool CanPasteMask => _copiedMask is not null && SelectedEdit is not null;

    /// <summary>Adds a blank layer for a feature on top and selects it. An upper layer that is still unpainted is replaced.</summary>
    /// <param name="strength">Null for the feature's good one.</param>
    public void AddLayer(FeatureCard card, double? strength = null)
    {
        if (Model?.Find(card.Site) is { } sae)
            AddLayer(recipe => NewLayer.Blank(sae, card.Feature, recipe, Atlas, strength));
    }

    /// <summary>The same for a concept: one layer with its features, at the site where it works best.</summary>
    public void AddLayer(Concept concept)
    {
        if (Model is { } model)
            AddLayer(recipe => NewLayer.Of(concept, model, recipe));
    }

    private void AddLayer(Func<Recipe, FeatureEdit?> make)
    {
        Change(recipe =>
        {
            var known = Solo?.Leave(recipe) ?? recipe;
            var kept = known.Edits.Count > 0 && known.Edits[^1].Mask?.IsBlank == true ? known.Edits.SkipLast(1) : known.Edits;
            return make(known) is { } layer ? NewLayer.OnTop(known with { Edits = [.. kept] }, layer) : recipe;
        });
        Notice = null;
        Select(Recipe.Edits.Count - 1);
    }

    /// <summary>Chooses what layers of one site do where they overlap.</summary>
    public void SetOverlap(Overlap overlap) => Change(recipe => recipe with { Overlap = overlap });

    public void CopyMask()
    {
        if (SelectedEdit is not { } edit)
            return;
        _copiedMask = edit.Mask ?? BrushMask.FromCells(1, 1, [1]);
        ShowMessage("The mask is copied. Choose another layer and paste it.");
    }

    /// <summary>Gives the selected layer the copied mask, on the layer's own grid.</summary>
    public void PasteMask()
    {
        if (_copiedMask is not { } copied || SelectedEdit is not { } selected || Model?.Find(selected.Site) is not { } sae)
            return;
        var (rows, columns) = sae.Grid(Recipe.Width, Recipe.Height);
        Change(recipe => WithEdit(recipe, Selected, edit => edit with { Mask = copied.Scaled(rows, columns) }));
        Notice = null;
    }

    /// <summary>Changes a layer but keeps its mask, which a stroke may have changed since.</summary>
    public void ChangeLayer(int index, FeatureEdit edit, bool isStroke) =>
        Change(recipe => WithEdit(recipe, index, current => edit with { Mask = current.Mask }), isStroke);

    public void RemoveLayer(int index)
    {
        ChangeLayers(edits => edits.RemoveAt(index));
        Select(Math.Min(Selected, Recipe.Edits.Count - 1));
    }

    public void MoveLayer(int from, int to)
    {
        if (to < 0 || to >= Recipe.Edits.Count)
            return;
        ChangeLayers(edits =>
        {
            var moved = edits[from];
            edits.RemoveAt(from);
            edits.Insert(to, moved);
        });
        Select(to);
    }

    public void DuplicateLayer(int index)
    {
        ChangeLayers(edits => edits.Insert(index + 1, edits[index]));
        Select(index + 1);
    }

    /// <summary>Shows a layer alone, or all layers again.</summary>
    /// <returns>The state for the browser to store; null if all layers are shown.</returns>
    public string? ToggleSolo(int index)
    {
        var current = Solo;
        _solo = current?.Index == index ? null : new Solo(index, current?.Before ?? [.. Recipe.Edits.Select(edit => edit.Enabled)]);
        Change(recipe => _solo?.Enter(recipe) ?? current!.Leave(recipe));
        return _solo?.ToJson();
    }

    /// <summary>What is in the selected region; null without one.</summary>
    public RegionContents? Region { get; private set; }

    /// <summary>The name of the concept that <see cref="Remove"/> takes out; empty for whatever is there.</summary>
    public string Thing { get; set; } = "";

    /// <summary>Finds what is in a region of the picture; nothing if the region is empty.</summary>
    public void SelectRegion(BrushMask region)
    {
        _region = region.IsBlank ? null : region;
        ListRegion();
    }

    /// <summary>
    /// Takes the chosen thing, or what stands out in a region, out of that region. A concept goes as it was measured to go best, a single
    /// feature by replaced cells.
    /// </summary>
    public void Remove(BrushMask region)
    {
        if (region.IsBlank || Model is not { } model)
            return;
        if (Canvas?.NewestFrame?.Result.Maps is not { All.Count: > 0 } maps || Atlas is not { } atlas)
        {
            ShowError("The picture is still being read. Try again in a moment.");
            return;
        }
        var chosen = atlas.Concepts.FirstOrDefault(concept => concept.Name == Thing);
        if ((chosen ?? RegionContents.In(region, maps, atlas).ToRemove) is not { } thing)
        {
            ShowMessage("Nothing stands out there. Brush over one whole thing, or choose by name what to remove.");
            return;
        }
        AddLayer(recipe => NewLayer.Without(thing, region, model, recipe));
        if (Notice is null)
            ShowMessage($"Removed here: {thing.Name}. If something else should go, undo and choose it by name.");
    }

    private void ListRegion()
    {
        if (_region is null)
            Region = null;
        else if (Canvas?.NewestFrame?.Result.Maps is { All.Count: > 0 } maps && Atlas is { } atlas)
            Region = RegionContents.In(_region, maps, atlas);
    }

    // Ends a solo, whose memory of the other layers would no longer fit.
    private void ChangeLayers(Action<List<FeatureEdit>> change) => Change(recipe =>
    {
        List<FeatureEdit> edits = [.. (Solo?.Leave(recipe) ?? recipe).Edits];
        change(edits);
        return recipe with { Edits = [.. edits] };
    });

    private static Recipe WithEdit(Recipe recipe, int index, Func<FeatureEdit, FeatureEdit> change) =>
        recipe with { Edits = [.. recipe.Edits.Select((edit, i) => i == index ? change(edit) : edit)] };
}
