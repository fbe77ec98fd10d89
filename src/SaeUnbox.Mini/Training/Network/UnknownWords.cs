using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// What captions do not have is not trained: its random embeddings would make the text encoders say something that the U-Net never saw, and
/// a picture in one step would become a mean of many.
/// </summary>
internal static class UnknownWords
{
    private const string Embedding = "text_model.embeddings.token_embedding.weight";

    /// <summary>
    /// Gives every piece that no caption has the embedding of the padding, which captions have in all places, and which says nothing.
    /// Captions are encoded as before.
    /// </summary>
    public static void Silence(MiniNetwork network, ClipTokenizer tokenizer, ClipTokenizer tokenizer2)
    {
        using var noGrad = no_grad();
        foreach (var (part, words) in new[] { ("text_encoder", tokenizer), ("text_encoder_2", tokenizer2) })
        {
            using var scope = NewDisposeScope();
            var known = CaptionGrammar.Phrases.SelectMany(phrase => words.Tokenize(phrase).Ids).ToHashSet();
            long[] unknown = [.. Enumerable.Range(0, words.VocabularySize).Where(id => !known.Contains(id)).Select(id => (long)id)];
            var rows = network.TensorsOf(part)[Embedding];
            rows.index_copy_(0, tensor(unknown, device: rows.device), rows[words.PadId].unsqueeze(0).repeat(unknown.Length, 1));
        }
    }
}
