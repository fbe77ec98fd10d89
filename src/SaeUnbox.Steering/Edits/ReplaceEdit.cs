using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>What takes the place of a feature's cells.</summary>
internal enum Replacement
{
    /// <summary>For each cell the one cell without the feature that is most like what surrounds it.</summary>
    Nearest,

    /// <summary>The mean of all cells without the feature.</summary>
    Mean,
}

/// <summary>
/// The dictionary only finds cells; the block's output y in them becomes that of other cells of the same map, so that nothing enters the
/// map that the block would not make itself (Look But Don't Touch, arXiv 2606.31699).
/// <para>With z the sum of the features' activations in a cell, and grow(v) the largest v within <see cref="Grow"/> cells to all sides:
/// the cells without the feature are F = {j: grow([z &gt; threshold])_j = 0}, and a found cell i gets
/// (1 - w_i) y_i + w_i r_i with w = share * grow([z &gt; threshold] * mask).</para>
/// <para>Mean: r = mean of y_j over F. Nearest: r_i = y_j with the j of F that maximises cos(y_j, u_i), where
/// u_i = sum over F of y_j / (|y_j| |i - j|^4) is what surrounds cell i, distances in cells; of equal ones the first.</para>
/// <para>Each picture of a batch takes from its own cells, so under guidance both halves change, each where it has the feature. Where
/// every cell has the feature, nothing changes.</para>
/// </summary>
internal sealed class ReplaceEdit(IFeatureDictionary sae, IReadOnlyList<int> features, Replacement replacement) : BlockEdit
{
    // Bounds the memory of the distances between found cells and all others.
    private const long CellsAtOnce = 1024;

    private readonly Tensor? _mask;

    public required double Threshold { get; init; }

    /// <summary>In cells.</summary>
    public required int Grow { get; init; }

    /// <summary>From 0 (nothing changes) to 1 (whole cells are replaced).</summary>
    public required double Share { get; init; }

    /// <summary>[h, w] float32; null for everywhere. The edit takes ownership.</summary>
    public required Tensor? Mask
    {
        get => _mask;
        init => _mask = value?.DetachFromDisposeScope();
    }

    public override Tensor Apply(Tensor input, Tensor output)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        RequireGrid(_mask, output);
        using var codes = sae.Encode(sae.VectorsOf(input, output));
        var active = features.Select(codes.Map).Aggregate((sum, next) => sum.Plus(next)).IsAbove(Threshold).to(ScalarType.Float32);
        var weight = Grown(_mask is null ? active : active * _mask).Times(Share);
        var taken = Grown(active);
        var cells = output.to(ScalarType.Float32).permute(0, 2, 3, 1);
        var replaced = Enumerable.Range(0, (int)output.shape[0]).Select(i => Replaced(cells[i], weight[i], taken[i]));
        return ChannelsFirst(stack([.. replaced], 0), output).MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing) => _mask?.Dispose();

    // [batch, h, w]
    private Tensor Grown(Tensor map) =>
        Grow == 0 ? map : nn.functional.max_pool2d(map.unsqueeze(1), (2 * Grow) + 1, 1, Grow).squeeze(1);

    // One picture: y [h, w, d], w [h, w], and 1 in the cells with the feature [h, w].
    private Tensor Replaced(Tensor map, Tensor weight, Tensor taken)
    {
        var (width, result) = (map.shape[1], map.reshape(-1, map.shape[2]).clone());
        var (free, found) = (taken.reshape(-1).IsBelow(0.5).nonzero().squeeze(1), weight.reshape(-1).IsAbove(0).nonzero().squeeze(1));
        if (free.shape[0] == 0 || found.shape[0] == 0)
            return map;
        var sources = result.index_select(0, free);
        for (long start = 0; start < found.shape[0]; start += CellsAtOnce)
        {
            using var chunk = NewDisposeScope();
            var cells = found.narrow(0, start, Math.Min(CellsAtOnce, found.shape[0] - start));
            var share = weight.reshape(-1).index_select(0, cells).unsqueeze(1);
            var source = replacement == Replacement.Mean ? sources.mean([0], true) : Nearest(sources, free, cells, width);
            var mixed = (share.SubtractedFrom(1) * result.index_select(0, cells)).Plus(share * source);
            result.index_copy_(0, cells, mixed);
        }
        return result.view(map.shape);
    }

    private static Tensor Nearest(Tensor sources, Tensor free, Tensor cells, long width)
    {
        var (rows, columns) = (Between(cells, free, cell => cell.FloorOver(width)), Between(cells, free, cell => Column(cell, width)));
        var distance = rows.Square().Plus(columns.Square());
        var directions = nn.functional.normalize(sources, dim: 1);
        var around = RowProducts.Linear(distance.Square().reciprocal(), directions.transpose(0, 1));
        var alike = RowProducts.Linear(around, directions);
        return sources.index_select(0, alike.argmax(1));
    }

    private static Tensor Column(Tensor cell, long width) => cell - cell.FloorOver(width).Times(width);

    // The difference of a coordinate between each found cell and each free one: [found, free] float32.
    private static Tensor Between(Tensor cells, Tensor free, Func<Tensor, Tensor> coordinate) =>
        (coordinate(cells).unsqueeze(1) - coordinate(free).unsqueeze(0)).to(ScalarType.Float32);
}
