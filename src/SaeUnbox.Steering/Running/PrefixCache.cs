namespace SaeUnbox.Steering;

/// <summary>The prefixes used last. Of a recipe everything but its edits is the key.</summary>
internal sealed class PrefixCache(int capacity) : IDisposable
{
    private readonly LinkedList<(Recipe Key, Prefix Prefix)> recent = [];

    /// <summary>The prefix of a recipe, made where it is not held.</summary>
    public Prefix For(Recipe recipe, Func<Prefix> make)
    {
        var key = recipe with { Edits = [], Interventions = [] };
        for (var node = recent.First; node is not null; node = node.Next)
        {
            if (node.Value.Key != key) continue;
            recent.Remove(node);
            recent.AddFirst(node);
            ServingTelemetry.LookedUpPrefix(isHit: true);
            return node.Value.Prefix;
        }
        while (recent.Count >= capacity) DropLast();
        ServingTelemetry.LookedUpPrefix(isHit: false);
        var prefix = make();
        recent.AddFirst((key, prefix));
        return prefix;
    }

    public void Dispose()
    {
        while (recent.Count > 0) DropLast();
    }

    private void DropLast()
    {
        var (_, oldest) = recent.Last!.Value;
        recent.RemoveLast();
        oldest.Dispose();
    }
}
