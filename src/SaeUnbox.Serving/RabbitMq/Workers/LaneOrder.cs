namespace SaeUnbox.Serving.RabbitMq;

internal enum Lane
{
    /// <summary>Jobs of canvases.</summary>
    Live,

    /// <summary>Jobs of canvases whose last job this worker did, a short while before they go to the others.</summary>
    Private,

    /// <summary>All others.</summary>
    Batch,
}

/// <summary>
/// In which order a worker looks for its next job: live first, then its own, which came later than those; then batch, which goes first every
/// so often, so that it is not left behind.
/// </summary>
internal sealed class LaneOrder
{
    private const int LiveInRow = 8;
    private int _live;

    public IReadOnlyList<Lane> Next() => _live >= LiveInRow ? [Lane.Batch, Lane.Live, Lane.Private] : [Lane.Live, Lane.Private, Lane.Batch];

    public void Took(Lane lane) => _live = lane == Lane.Batch ? 0 : _live + 1;
}
