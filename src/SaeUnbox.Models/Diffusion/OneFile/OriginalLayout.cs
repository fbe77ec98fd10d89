using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Writes the parts of a folder under the names and in the shapes of the original layout.</summary>
internal static class OriginalLayout
{
    // The scale of CLIP's contrastive loss, which readers of the layout expect: ln 100.
    private const double LogitScale = 4.605170185988092;

    public static IEnumerable<PendingTensor> Tensors(
        OriginalModel model, string part, Checkpoint weights, ModelConversion.Written written) => part switch
        {
            OneFile.UNet => UNet(weights, written),
            OneFile.Autoencoder => Autoencoder(weights, written),
            _ => model.Encoders.First(encoder => encoder.Part == part) is { IsOpenClip: true } open
                ? OpenClipEncoder(open.Prefix, weights, written)
                : ClipEncoder(model.Encoders[0].Prefix, weights, written),
        };

    /// <summary>Adds the prefix that transformers 5.6 and later leave out of a text encoder's names.</summary>
    public static ModelPart WithTextPrefix(ModelPart part)
    {
        const string mark = "embeddings.token_embedding.weight", projection = "text_projection.";
        var (_, weights) = part;
        return !weights.Entries.ContainsKey(mark) ? part : part with
        {
            Weights = new CheckpointView(weights, [.. weights.Entries.Keys.Select(name => weights.Locate(name).Named(
                name.StartsWith(projection, StringComparison.Ordinal) ? name : $"text_model.{name}"))], weights),
        };
    }

    private static IEnumerable<PendingTensor> UNet(Checkpoint weights, ModelConversion.Written written)
    {
        var names = OriginalNames.UNet(weights.Entries.ContainsKey);
        return weights.Entries.Keys.Select(name => written.Pending(weights, name, $"model.diffusion_model.{names.ToFile(name)}"));
    }

    private static IEnumerable<PendingTensor> Autoencoder(Checkpoint weights, ModelConversion.Written written)
    {
        var names = OriginalNames.Autoencoder(weights.Entries.ContainsKey);
        foreach (var (source, entry) in weights.Entries)
        {
            var name = RenamedSource.PresentAttentionName(source);
            // The original attention has 1x1 convolutions where diffusers has matrices.
            long[] shape = name.Contains(".mid_block.attentions.", StringComparison.Ordinal) && entry.Shape.Length == 2
                ? [.. entry.Shape, 1, 1]
                : entry.Shape;
            yield return written.Pending($"first_stage_model.{names.ToFile(name)}", entry, shape,
                () => weights.Read(source).reshape(shape));
        }
    }

    private static IEnumerable<PendingTensor> ClipEncoder(string prefix, Checkpoint weights, ModelConversion.Written written)
    {
        const string positions = "text_model.embeddings.position_ids";
        foreach (var name in weights.Entries.Keys.Where(name => name != positions))
            yield return written.Pending(weights, name, prefix + name);
        // The layout also stores the numbers 0, 1, 2, …
        var length = weights.Entries["text_model.embeddings.position_embedding.weight"].Shape[0];
        var numbers = new TensorEntry(positions, ElementType.I64, [1, length]);
        yield return written.Pending(prefix + positions, numbers, numbers.Shape, () => Numbers(length));
    }

    private static IEnumerable<PendingTensor> OpenClipEncoder(string prefix, Checkpoint weights, ModelConversion.Written written)
    {
        const string query = ".self_attn.q_proj.";
        var names = OriginalNames.TextEncoder(weights.Entries.ContainsKey);
        foreach (var (source, entry) in weights.Entries)
        {
            if (source.Contains(query, StringComparison.Ordinal))
            {
                string[] sources = [.. OpenClip.Projections.Select(part => source.Replace("q_proj", part, StringComparison.Ordinal))];
                var attention = names.ToFile(source[..source.IndexOf(".q_proj.", StringComparison.Ordinal)]);
                yield return written.Pending(
                    $"{prefix}{attention}.in_proj_{source[(source.LastIndexOf('.') + 1)..]}", entry,
                    [sources.Length * entry.Shape[0], .. entry.Shape[1..]], () => cat([.. sources.Select(weights.Read)], 0));
            }
            else if (source == "text_projection.weight")
                yield return written.Pending(
                    $"{prefix}text_projection", entry, [entry.Shape[1], entry.Shape[0]], () => weights.Read(source).t());
            else if (!OpenClip.Projections.Any(part => source.Contains($".self_attn.{part}.", StringComparison.Ordinal))
                && !source.EndsWith(".position_ids", StringComparison.Ordinal))
                yield return written.Pending(weights, source, prefix + names.ToFile(source));
        }

        var like = weights.Entries["text_model.final_layer_norm.bias"];
        yield return written.Pending($"{prefix}logit_scale", like, [], () => tensor(LogitScale, dtype: like.DType));
    }

    private static Tensor Numbers(long count)
    {
        using var row = tensor(Enumerable.Range(0, (int)count).Select(number => (long)number).ToArray());
        return row.view(1, count);
    }
}
