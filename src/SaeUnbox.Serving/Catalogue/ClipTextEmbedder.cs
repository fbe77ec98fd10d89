namespace SaeUnbox.Serving;

/// <summary>Embeds search texts with CLIP's text model. Thread-safe; calls run one at a time.</summary>
public sealed class ClipTextEmbedder(ClipModel clip) : ITextEmbedder
{
    private readonly Lock _lock = new();

    public float[] Embed(string text)
    {
        lock (_lock)
            return clip.EmbedText(text);
    }
}
