namespace SaeUnbox.Serving;

/// <summary>Brings texts to vectors that lie near those of pictures that show what the text says, such as CLIP's. Safe for many threads.</summary>
public interface ITextEmbedder
{
    /// <summary>The text as a unit vector.</summary>
    float[] Embed(string text);
}
