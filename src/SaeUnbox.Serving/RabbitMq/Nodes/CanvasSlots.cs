namespace SaeUnbox.Serving.RabbitMq;

/// <summary>
/// Of each canvas the one job that the broker has, and the newest that waits for it in this node. So a canvas has one job in flight, and
/// however fast it paints it takes no more turns than others. Its owner locks.
/// </summary>
internal sealed class CanvasSlots
{
    private readonly Dictionary<string, Slot> _slots = [];

    /// <summary>Jobs that wait here.</summary>
    public int Held => _slots.Values.Count(slot => slot.Held is not null);

    /// <summary>Takes a job.</summary>
    /// <param name="canvas">Its canvas.</param>
    /// <param name="job">The job.</param>
    /// <param name="replaced">The job that waited in its place; it is superseded.</param>
    /// <returns>The job the broker has, behind which it waits; null where it is to be published now.</returns>
    public Guid? Add(string canvas, Guid job, out Guid? replaced)
    {
        replaced = null;
        if (!_slots.TryGetValue(canvas, out var slot))
        {
            _slots[canvas] = new() { Published = job };
            return null;
        }
        (replaced, slot.Held) = (slot.Held, job);
        return slot.Published;
    }

    /// <summary>A worker put a newer job in the place of the published one.</summary>
    public void Superseded(string canvas, Guid job, Guid by)
    {
        if (!_slots.TryGetValue(canvas, out var slot) || slot.Published != job)
            return;
        slot.Published = by;
        if (slot.Held == by)
            slot.Held = null;
    }

    /// <summary>A job has ended.</summary>
    /// <returns>The next of its canvas, to be published now; null where there is none.</returns>
    public Guid? Ended(string canvas, Guid job)
    {
        if (!_slots.TryGetValue(canvas, out var slot))
            return null;
        if (slot.Held == job)
            slot.Held = null;
        if (slot.Published != job)
            return null;
        if (slot.Held is not { } next)
        {
            _slots.Remove(canvas);
            return null;
        }
        (slot.Published, slot.Held) = (next, null);
        return next;
    }

    /// <summary>Takes a waiting job off; false where the broker has it.</summary>
    public bool Remove(string canvas, Guid job)
    {
        if (!_slots.TryGetValue(canvas, out var slot) || slot.Held != job)
            return false;
        slot.Held = null;
        return true;
    }

    private sealed class Slot
    {
        public Guid Published { get; set; }

        public Guid? Held { get; set; }
    }
}
