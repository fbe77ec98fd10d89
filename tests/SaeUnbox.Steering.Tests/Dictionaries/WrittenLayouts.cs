using System.Globalization;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

/// <summary>The numbers of a top-k autoencoder with one bias.</summary>
/// <param name="Encoder">W_e [n, d].</param>
/// <param name="Directions">[n, d].</param>
/// <param name="Bias">b_pre [d].</param>
/// <param name="LatentBias">[n].</param>
internal sealed record DictionaryNumbers(Tensor Encoder, Tensor Directions, Tensor Bias, Tensor LatentBias, int K)
{
    public long Features => Encoder.shape[0];

    public long Width => Encoder.shape[1];

    public static DictionaryNumbers Of(SparseAutoencoder sae) => new(
        sae.EncoderWeight.cpu(), sae.Dictionary.cpu(), sae.PreBias.cpu(), sae.LatentBias.cpu(), sae.K);

    /// <summary>Random numbers; the directions have length 1.</summary>
    public static DictionaryNumbers Random(int features, int width, int k, ulong seed)
    {
        using var generator = new Generator(seed);
        var directions = Draw(features, width);
        return new(Draw(features, width), directions / directions.norm(1, keepdim: true), Draw(width), Draw(features), k);

        Tensor Draw(params long[] shape) => randn(shape, dtype: ScalarType.Float32, generator: generator);
    }
}

/// <summary>Writes the same numbers as the projects of the field do.</summary>
internal static class WrittenLayouts
{
    private static readonly Dictionary<string, Action<string, DictionaryNumbers>> Writers = new()
    {
        ["sdxl-unbox"] = (folder, it) => Torch(folder, "state_dict.pth", new() { ["state_dict"] = Reference(it) }, ReferenceConfig(it)),
        ["goodfire"] = (folder, it) => Torch(folder, "sae.pt", Reference(it), ReferenceConfig(it)),
        ["with an optimiser"] = (folder, it) => Torch(folder, "state_dict.pth", new()
        {
            ["model_state_dict"] = Reference(it).ToDictionary(pair => "module." + pair.Key, pair => pair.Value),
            ["optimizer_state_dict"] = new Dictionary<string, object?> { ["state"] = zeros([3]) },
            ["step"] = 12,
        }, ReferenceConfig(it)),
        ["compiled"] = (folder, it) => Torch(folder, "state_dict.pth",
            Reference(it).ToDictionary(pair => "_orig_mod." + pair.Key, pair => pair.Value), ReferenceConfig(it)),
        ["sparsify"] = (folder, it) => Safetensors(folder, "sae.safetensors", Sparsify(it), "cfg.json", Text($$"""
            {"d_in": {{it.Width}}, "expansion_factor": 32, "num_latents": {{it.Features}}, "k": {{it.K}}, "activation": "topk"}
            """)),
        ["SAeUron"] = (folder, it) => Safetensors(folder, "sae.safetensors", Sparsify(it), "cfg.json", Text($$"""
            {"d_in": {{it.Width}}, "num_latents": {{it.Features}}, "k": {{it.K}}, "batch_topk": true, "sample_topk": false,
             "input_unit_norm": false, "multi_topk": false}
            """)),
        ["SAELens 6"] = (folder, it) => Safetensors(folder, "sae_weights.safetensors", SaeLens(it), "cfg.json", Text($$"""
            {"architecture": "topk", "d_in": {{it.Width}}, "d_sae": {{it.Features}}, "k": {{it.K}}, "apply_b_dec_to_input": true,
             "normalize_activations": "none", "rescale_acts_by_decoder_norm": false, "metadata": {"sae_lens_version": "6.12.1"} }
            """)),
        ["SAELens 5"] = (folder, it) => Safetensors(folder, "sae_weights.safetensors", SaeLens(it), "cfg.json", Text($$$"""
            {"d_in": {{{it.Width}}}, "d_sae": {{{it.Features}}}, "activation_fn_str": "topk", "activation_fn_kwargs": {"k": {{{it.K}}} },
             "normalize_activations": false, "apply_b_dec_to_input": true}
            """)),
        ["dictionary_learning TopK"] = (folder, it) => Torch(folder, "ae.pt", DictionaryLearning(it), Trainer(it, "AutoEncoderTopK")),
        ["dictionary_learning BatchTopK"] = (folder, it) => Torch(folder, "ae.pt", DictionaryLearning(it), Trainer(it, "BatchTopKSAE")),
        ["dictionary_learning Matryoshka"] = (folder, it) => Torch(folder, "ae.pt", new(SaeLens(it))
        {
            ["k"] = tensor(it.K),
            ["threshold"] = tensor(-1f),
            ["group_sizes"] = tensor(new[] { it.Features / 4, it.Features - it.Features / 4 }),
        }, Trainer(it, "MatryoshkaBatchTopKSAE")),
        ["RE-N-Y"] = (folder, it) => Safetensors(folder, "model.safetensors", new()
        {
            ["encoder.weight"] = it.Encoder,
            ["encoder.bias"] = it.LatentBias,
            ["decoder.weight"] = it.Directions.t(),
            ["bias"] = it.Bias,
        }, "config.json", Text($$"""{"features": {{it.Width}}, "pages": {{it.Features}}, "k": {{it.K}} }""")),
    };

    public static TheoryData<string> Names() => [.. Writers.Keys];

    /// <summary>Writes a layout's files into a folder, which is made.</summary>
    public static void Write(string layout, string folder, DictionaryNumbers numbers)
    {
        Directory.CreateDirectory(folder);
        Writers[layout](folder, numbers);
    }

    /// <summary>overcomplete's layout, which has no bias of width d, knows no k, and scales directions itself.</summary>
    public static void WriteOvercomplete(string folder, DictionaryNumbers numbers, double multiplier)
    {
        Directory.CreateDirectory(folder);
        Torch(folder, "sae.pth", new()
        {
            ["encoder.final_block.0.weight"] = numbers.Encoder,
            ["encoder.final_block.0.bias"] = numbers.LatentBias,
            ["dictionary._weights"] = numbers.Directions.Times(3),
            ["dictionary.multiplier"] = tensor((float)multiplier),
        }, null);
    }

    public static void Safetensors(string folder, string file, Dictionary<string, object?> tensors, string config, string json)
    {
        Directory.CreateDirectory(folder);
        SafetensorsWriter.Write(Path.Combine(folder, file), tensors.Select(pair => KeyValuePair.Create(pair.Key, (Tensor)pair.Value!)));
        File.WriteAllText(Path.Combine(folder, config), json);
    }

    public static void Torch(string folder, string file, Dictionary<string, object?> value, string? json)
    {
        Directory.CreateDirectory(folder);
        TorchFileWriter.Write(Path.Combine(folder, file), value);
        if (json is not null)
            File.WriteAllText(Path.Combine(folder, "config.json"), json);
    }

    private static Dictionary<string, object?> Reference(DictionaryNumbers it) => new()
    {
        ["encoder.weight"] = it.Encoder,
        ["decoder.weight"] = it.Directions.t(),
        ["pre_bias"] = it.Bias,
        ["latent_bias"] = it.LatentBias,
    };

    private static Dictionary<string, object?> Sparsify(DictionaryNumbers it) => new()
    {
        ["encoder.weight"] = it.Encoder,
        ["encoder.bias"] = it.LatentBias,
        ["W_dec"] = it.Directions,
        ["b_dec"] = it.Bias,
    };

    private static Dictionary<string, object?> SaeLens(DictionaryNumbers it) => new()
    {
        ["W_enc"] = it.Encoder.t().contiguous(),
        ["b_enc"] = it.LatentBias,
        ["W_dec"] = it.Directions,
        ["b_dec"] = it.Bias,
    };

    private static Dictionary<string, object?> DictionaryLearning(DictionaryNumbers it) => new()
    {
        ["encoder.weight"] = it.Encoder,
        ["encoder.bias"] = it.LatentBias,
        ["decoder.weight"] = it.Directions.t(),
        ["b_dec"] = it.Bias,
        ["k"] = tensor(it.K),
        ["threshold"] = tensor(-1f),
    };

    private static string ReferenceConfig(DictionaryNumbers it) => new SaeConfig((int)it.Features, (int)it.Width, it.K, null, 100).ToJson();

    private static string Trainer(DictionaryNumbers it, string kind) => Text($$$"""
        {"trainer": {"dict_class": "{{{kind}}}", "activation_dim": {{{it.Width}}}, "dict_size": {{{it.Features}}}, "k": {{{it.K}}} } }
        """);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
