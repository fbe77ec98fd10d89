namespace SaeUnbox.RabbitMq;

internal enum Lane
{
    /// <summary>Jobs of canvases whose last job this worker did.</summary>
    Private,

    /// <summary>Jobs of canvases.</summary>
    Live,

    /// <summary>All others.</summary>
    Batch,
}

/// <summary>In which order a worker looks for its next job: its own first, then live, then batch; but each is looked at first every so often, so that none is left behind.</summary>
internal sealed class LaneOrder
{
    private const int PrivateInRow = 4, LiveInRow = 8;
    private int _private, _live;

    public IReadOnlyList<Lane> Next() =>
        _live >= LiveInRow ? [Lane.Batch, Lane.Private, Lane.Live]
        : _private >= PrivateInRow ? [Lane.Live, Lane.Private, Lane.Batch]
        : [Lane.Private, Lane.Live, Lane.Batch];

    public void Took(Lane lane)
    {
        _private = lane == Lane.Private ? _private + 1 : 0;
        _live = lane == Lane.Batch ? 0 : _live + 1;
    }
}
