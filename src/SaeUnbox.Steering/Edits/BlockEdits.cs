namespace SaeUnbox.Steering;

/// <summary>
/// Changes a block's output, given its input and its output, both [batch, d, h, w]; it writes to neither. An edit is made once and applied
/// at every step, so it owns its tensors until it is disposed.
/// </summary>
public abstract class BlockEdit : IDisposable
{
    /// <summary>Returns the block's new output, with the old one's dtype and device.</summary>
    public abstract Tensor Apply(Tensor input, Tensor output);

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>output - input, channels last in float32: [batch, h, w, d].</summary>
    public static Tensor Difference(Tensor input, Tensor output) =>
        (output.to(ScalarType.Float32) - input.to(ScalarType.Float32)).permute(0, 2, 3, 1);

    /// <summary>Converts [..., h, w, d] float32 to the block's layout and dtype, [batch, d, h, w].</summary>
    internal static Tensor ChannelsFirst(Tensor values, Tensor like) =>
        values.permute(0, 3, 1, 2).to(like.device).to(like.dtype);

    /// <summary>Requires that a mask [h, w] has the size of the block's grid.</summary>
    internal static void RequireGrid(Tensor? mask, Tensor output)
    {
        if (mask is not null && (mask.shape[^2] != output.shape[2] || mask.shape[^1] != output.shape[3]))
            throw new SaeException(
                $"The mask has {mask.shape[^2]} x {mask.shape[^1]} cells, the block's grid is {output.shape[2]} x {output.shape[3]}.");
    }
}

/// <summary>How an edit treats the halves of a guided batch, which is [unconditional, conditional].</summary>
public enum Guidance
{
    /// <summary>No guidance: all pictures of the batch get the same edit.</summary>
    None,

    /// <summary>Adds to the conditional half and subtracts from the unconditional half.</summary>
    Contrast,

    /// <summary>Changes the conditional half only.</summary>
    ConditionalOnly,
}

/// <summary>Adds a fixed tensor D to the block's output, or replaces the output by the input plus D (an icon).</summary>
internal sealed class DeltaEdit : BlockEdit
{
    private readonly bool _ontoInput;
    private readonly Guidance _guidance;
    private readonly Tensor _delta;
    private Tensor? _cast;

    /// <param name="delta">D, [1, d, h, w] or [1, d, 1, 1] float32. The edit takes ownership.</param>
    /// <param name="guidance">How the halves of the batch are treated.</param>
    /// <param name="ontoInput">Whether D is added to the block's input instead of its output.</param>
    public DeltaEdit(Tensor delta, Guidance guidance, bool ontoInput)
    {
        _delta = delta.DetachFromDisposeScope();
        _guidance = guidance;
        _ontoInput = ontoInput;
    }

    /// <summary>Merges two consecutive edits into one sum; null if they cannot be merged.</summary>
    public static DeltaEdit? Merge(DeltaEdit first, DeltaEdit second)
    {
        if (first._guidance != second._guidance || first._ontoInput || second._ontoInput)
            return null;
        using var scope = NewDisposeScope();
        return new DeltaEdit(first._delta.Plus(second._delta), first._guidance, ontoInput: false);
    }

    public override Tensor Apply(Tensor input, Tensor output)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        if (_delta.shape[1] != output.shape[1])
            throw new SaeException($"The feature's direction has {_delta.shape[1]} channels, the block has {output.shape[1]}.");
        if (_delta.shape[2] > 1 || _delta.shape[3] > 1)
            RequireGrid(_delta, output);
        var start = _ontoInput ? input : output;
        var delta = Like(start);
        return (_guidance == Guidance.None ? start.Plus(delta) : Guided(start, delta)).MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing)
    {
        _delta.Dispose();
        _cast?.Dispose();
    }

    private Tensor Guided(Tensor start, Tensor delta)
    {
        if (start.shape[0] % 2 != 0)
            throw new SaeException($"Guidance needs a batch of two halves, this one holds {start.shape[0]}.");
        var half = start.shape[0] / 2;
        var unconditional = start.narrow(0, 0, half);
        return cat(
            [
                _guidance == Guidance.Contrast ? unconditional - delta : unconditional,
                start.narrow(0, half, half).Plus(delta),
            ],
            0);
    }

    // Cached in the block's dtype, so that later steps only add.
    private Tensor Like(Tensor start)
    {
        if (_cast is null || _cast.dtype != start.dtype
            || _cast.device_type != start.device_type || _cast.device_index != start.device_index)
        {
            _cast?.Dispose();
            _cast = _delta.to(start.device).to(start.dtype).alias().DetachFromDisposeScope();
        }

        return _cast;
    }
}

/// <summary>
/// output + mask * sum of beta_f * z_f * d_f over the features: -1 removes them, 1 doubles them. Under guidance each half has its own z_f,
/// so both halves change.
/// </summary>
internal sealed class ScaleEdit(IFeatureDictionary sae, IReadOnlyList<(int Feature, float Beta)> features, Tensor? mask) : BlockEdit
{
    private readonly Tensor? _mask = mask?.DetachFromDisposeScope();

    public override Tensor Apply(Tensor input, Tensor output)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        RequireGrid(_mask, output);
        using var codes = sae.Encode(sae.VectorsOf(input, output));
        var delta = features.Select(one => Delta(codes, one.Feature, one.Beta)).Aggregate((sum, next) => sum.Plus(next));
        return output.Plus(ChannelsFirst(delta, output)).MoveToOuterDisposeScope();
    }

    private Tensor Delta(SparseCodes codes, int feature, float beta)
    {
        var amount = codes.Contribution(feature).Times(beta);
        if (_mask is not null)
            amount = amount * _mask;
        return amount.unsqueeze(-1) * sae.Direction(feature);
    }

    protected override void Dispose(bool disposing) => _mask?.Dispose();
}

/// <summary>input + the dictionary's reconstruction of (output - input); for a dictionary of outputs, that of the output.</summary>
internal sealed class ReconstructEdit(IFeatureDictionary sae) : BlockEdit
{
    public override Tensor Apply(Tensor input, Tensor output)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var made = ChannelsFirst(sae.Reconstruct(sae.VectorsOf(input, output)), input);
        return (sae.ReadsOutput ? made : input.Plus(made)).MoveToOuterDisposeScope();
    }
}

/// <summary>Removes the block: its output becomes its input.</summary>
internal sealed class AblateEdit : BlockEdit
{
    public override Tensor Apply(Tensor input, Tensor output) => input.alias();
}

/// <summary>Applies edits in order. Each gets the output of the one before, and all get the same input.</summary>
internal sealed class EditSequence(IReadOnlyList<BlockEdit> edits) : BlockEdit
{
    public override Tensor Apply(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var result = output.alias();
        foreach (var edit in edits)
            result = edit.Apply(input, result);
        return result.MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing)
    {
        foreach (var edit in edits)
            edit.Dispose();
    }
}

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
