namespace SaeUnbox.Core;

/// <summary>What happens in the cells that several edits of one site cover, if their mode puts a feature in.</summary>
public enum Overlap
{
    /// <summary>The edits add up.</summary>
    Sum,

    /// <summary>The later edit hides the earlier ones, as far as its mask says: 1 hides them completely.</summary>
    Cover,
}

/// <summary>Applies <see cref="Overlap.Cover"/>.</summary>
public static class LayerCover
{
    /// <summary>Returns the edits with what later ones leave of their masks, without those that are hidden completely.</summary>
    /// <param name="edits">The edits of one site that act at one step, in their order. Their masks have one size.</param>
    public static IReadOnlyList<FeatureEdit> Visible(IReadOnlyList<FeatureEdit> edits)
    {
        List<FeatureEdit> visible = [];
        BrushMask? free = null; // what is left of each cell; null for everything
        var isHidden = false;
        foreach (var edit in edits.Reverse())
        {
            if (!edit.Mode.Covers)
                visible.Add(edit);
            if (!edit.Mode.Covers || isHidden)
                continue;
            var left = Product(edit.Mask, free);
            if (free is null || left?.IsBlank == false)
                visible.Add(edit with { Mask = left });
            isHidden = edit.Mask is null;
            if (edit.Mask is { IsBlank: false } mask)
                free = Product(mask.Inverse(), free);
        }
        visible.Reverse();
        return visible;
    }

    private static BrushMask? Product(BrushMask? one, BrushMask? other)
    {
        if (one is null || other is null)
            return one ?? other;
        var cells = one.Cells.ToArray();
        for (var i = 0; i < cells.Length; i++)
            cells[i] *= other.Cells[i];
        return BrushMask.FromCells(one.Rows, one.Columns, cells);
    }

    private static BrushMask Inverse(this BrushMask mask)
    {
        var cells = mask.Cells.ToArray();
        for (var i = 0; i < cells.Length; i++)
            cells[i] = 1 - cells[i];
        return BrushMask.FromCells(mask.Rows, mask.Columns, cells);
    }
}
