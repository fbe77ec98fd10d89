using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Components.Pages.Paint;

// Regions of the picture: what is in them, and how it is removed.
internal sealed partial class PaintState
{
    private BrushMask? _region;

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
}
