using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>The paper's formulas on one sequence of rows, in float64 and one step at a time: what the towers are held against.</summary>
internal sealed class NaiveClip(Dictionary<string, Tensor> weights)
{
    public Tensor Text(IReadOnlyList<int> ids)
    {
        var rows =
            stack([.. ids.Select(
                (id, place) =>
                    W("text_model.embeddings.token_embedding.weight")[id].Plus(
                        W("text_model.embeddings.position_embedding.weight")[place]))]);
        for (var layer = 0; layer < TinyClip.Layers; layer++)
            rows = Layer(rows, $"text_model.encoder.layers.{layer}", causal: true);
        var end = ids.ToList().IndexOf(ids.Max());
        return W("text_projection.weight").matmul(Norm(rows, "text_model.final_layer_norm")[end]);
    }

    /// <param name="picture">[3, side, side], prepared.</param>
    public Tensor Picture(Tensor picture)
    {
        var patch = W("vision_model.embeddings.patch_embedding.weight").reshape(TinyClip.VisionWidth, -1);
        var tokens = new List<Tensor> { W("vision_model.embeddings.class_embedding") };
        for (var y = 0; y < TinyClip.Side; y += TinyClip.Patch)
            for (var x = 0; x < TinyClip.Side; x += TinyClip.Patch)
                tokens.Add(patch.matmul(picture.to(float64).narrow(1, y, TinyClip.Patch).narrow(2, x, TinyClip.Patch).reshape(-1)));
        var rows = Norm(stack([.. tokens]).Plus(W("vision_model.embeddings.position_embedding.weight")), "vision_model.pre_layrnorm");
        for (var layer = 0; layer < TinyClip.Layers; layer++)
            rows = Layer(rows, $"vision_model.encoder.layers.{layer}", causal: false);
        return W("visual_projection.weight").matmul(Norm(rows, "vision_model.post_layernorm")[0]);
    }

    private Tensor Layer(Tensor rows, string path, bool causal)
    {
        var normal = Norm(rows, $"{path}.layer_norm1");
        var (query, key, value) =
            (Linear(normal, $"{path}.self_attn.q_proj"), Linear(normal, $"{path}.self_attn.k_proj"),
                Linear(normal, $"{path}.self_attn.v_proj"));
        var (count, width) = (rows.shape[0], rows.shape[1] / TinyClip.Heads);
        var attended = stack([.. Enumerable.Range(0, (int)count).Select(place => cat([.. Enumerable.Range(0, TinyClip.Heads).Select(head =>
        {
            var seen = causal ? place + 1 : count;
            var scores = Head(key, head, seen).matmul(Head(query, head, count)[place]).Over(Math.Sqrt(width));
            var shares = scores.exp() / scores.exp().sum();
            return Head(value, head, seen).t().matmul(shares);
        })], 0))]);
        rows = rows.Plus(Linear(attended, $"{path}.self_attn.out_proj"));
        var inner = Linear(Norm(rows, $"{path}.layer_norm2"), $"{path}.mlp.fc1");
        return rows.Plus(Linear(inner / inner.Times(-1.702).exp().Plus(1), $"{path}.mlp.fc2"));

        Tensor Head(Tensor all, int head, long places) => all.narrow(0, 0, places).narrow(1, head * width, width);
    }

    private Tensor Linear(Tensor rows, string path) => rows.matmul(W($"{path}.weight").t()).Plus(W($"{path}.bias"));

    private Tensor Norm(Tensor rows, string path)
    {
        var centred = rows - rows.sum(1, true).Over(rows.shape[1]);
        var variance = (centred * centred).sum(1, true).Over(rows.shape[1]);
        return (centred / variance.Plus(1e-5).sqrt() * W($"{path}.weight")).Plus(W($"{path}.bias"));
    }

    private Tensor W(string name) => weights[name].to(float64);
}
