using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>The hooks that are set, in order. Taking one off leaves the others, in whatever order scopes end.</summary>
internal sealed class HookTable
{
    private readonly List<Entry> _entries = [];

    public IDisposable Add(UNetSite site, SiteHook hook)
    {
        var entry = new Entry(this, site.Code, hook);
        _entries.Add(entry);
        return entry;
    }

    /// <summary>The output after every hook of the site, a handle of its own; each hook sees the one before's output and the same input.</summary>
    public Tensor Apply(UNetSite site, Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var current = output;
        foreach (var entry in _entries.Where(e => e.Site == site.Code).ToArray())
        {
            current = Checked(site, entry.Hook(input, current), output);
        }

        return ChannelsLast.Of(current).alias().MoveToOuterDisposeScope();
    }

    private static Tensor Checked(UNetSite site, Tensor result, Tensor output) =>
        result.shape.SequenceEqual(output.shape) && result.dtype == output.dtype
            ? result
            : throw new ModelException($"A hook at {site.Code} returned {result}, and must return what it was given: {output}.");

    private sealed class Entry(HookTable table, string site, SiteHook hook) : IDisposable
    {
        public string Site => site;

        public SiteHook Hook => hook;

        public void Dispose() => table._entries.Remove(this);
    }
}
