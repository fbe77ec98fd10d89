using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>Walks a tensor in row-major order in pieces of bounded size, each a view of it.</summary>
internal static class Slabs
{
    /// <param name="view">Any strides, any device.</param>
    /// <param name="limit">Most elements of a piece.</param>
    /// <param name="visit">Called with each piece; the piece is gone when it returns.</param>
    public static void ForEach(torch.Tensor view, long limit, Action<torch.Tensor> visit)
    {
        var count = view.numel();
        if (count == 0) return;
        if (count <= limit)
        {
            visit(view);
            return;
        }
        if (view.dim() > 1 && view.is_contiguous())
        {
            using var flat = view.view(-1);
            ForEach(flat, limit, visit);
            return;
        }
        var rows = view.shape[0];
        var step = Math.Max(1, limit / (count / rows));
        for (long row = 0; row < rows; row += step)
        {
            using var slab = view.narrow(0, row, Math.Min(step, rows - row));
            if (slab.numel() <= limit)
            {
                visit(slab);
                continue;
            }
            using var inner = slab.select(0, 0);
            ForEach(inner, limit, visit);
        }
    }
}
