using static TorchSharp.torch;

namespace SaeUnbox.Serving;

/// <summary>CLIP's text tower for searches in an atlas; many threads may ask, one at a time is served.</summary>
public sealed class ClipTextEmbedder(ClipModel clip) : ITextEmbedder
{
    private readonly Lock _turn = new();

    public float[] Embed(string text)
    {
        lock (_turn)
        {
            using var scope = NewDisposeScope();
            return clip.EmbedTexts(text).contiguous().data<float>().ToArray();
        }
    }
}
