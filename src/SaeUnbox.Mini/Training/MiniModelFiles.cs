using System.Text;
using System.Text.Json;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Training;

/// <summary>Writes the configuration files of the model in the layout of diffusers. All parts are then built from these files.</summary>
internal static class MiniConfigurations
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public const int Positions = 77;

    public static void Write(string folder, MiniTrainingOptions options, int vocabulary, int startId, int endId)
    {
        var (network, decoder) = (options.Network, options.Decoder);
        Write(folder, "", "model_index.json", new Dictionary<string, object?>
        {
            ["_class_name"] = "StableDiffusionXLPipeline",
            ["_diffusers_version"] = "0.30.0",
            ["force_zeros_for_empty_prompt"] = false,
            ["scheduler"] = new[] { "diffusers", "EulerAncestralDiscreteScheduler" },
            ["text_encoder"] = new[] { "transformers", "CLIPTextModel" },
            ["text_encoder_2"] = new[] { "transformers", "CLIPTextModelWithProjection" },
            ["tokenizer"] = new[] { "transformers", "CLIPTokenizer" },
            ["tokenizer_2"] = new[] { "transformers", "CLIPTokenizer" },
            ["unet"] = new[] { "diffusers", "UNet2DConditionModel" },
            ["vae"] = new[] { "diffusers", "AutoencoderTiny" },
        });
        Write(folder, "scheduler", "scheduler_config.json", new Dictionary<string, object?>
        {
            ["_class_name"] = "EulerAncestralDiscreteScheduler",
            ["beta_start"] = .00085,
            ["beta_end"] = .012,
            ["beta_schedule"] = "scaled_linear",
            ["num_train_timesteps"] = 1000,
            ["prediction_type"] = "v_prediction",
            ["steps_offset"] = 1,
            ["timestep_spacing"] = "trailing",
        });
        Write(folder, "vae", "config.json", new Dictionary<string, object?>
        {
            ["_class_name"] = "AutoencoderTiny",
            ["act_fn"] = "relu",
            ["in_channels"] = 3,
            ["out_channels"] = 3,
            ["latent_channels"] = LatentCode.Channels,
            ["encoder_block_out_channels"] = decoder.Blocks.Select(_ => LatentEncoderWeights.Width),
            ["decoder_block_out_channels"] = decoder.Blocks.Select(_ => decoder.Width),
            ["num_encoder_blocks"] = decoder.Blocks.Select(_ => 0),
            ["num_decoder_blocks"] = decoder.Blocks,
            ["upsampling_scaling_factor"] = 2,
            ["upsample_fn"] = "nearest",
            ["scaling_factor"] = options.Latents.ScalingFactor,
        });
        Write(folder, "unet", "config.json", UNet(options));
        foreach (var (name, second) in new[] { ("text_encoder", false), ("text_encoder_2", true) })
            Write(folder, name, "config.json", TextEncoder(network, second, vocabulary, startId, endId));
    }

    private static Dictionary<string, object?> UNet(MiniTrainingOptions options) => new()
    {
        ["_class_name"] = "UNet2DConditionModel",
        ["act_fn"] = "silu",
        ["addition_embed_type"] = "text_time",
        ["addition_time_embed_dim"] = options.Network.TimeIdChannels,
        ["attention_head_dim"] = options.Network.Heads,
        ["block_out_channels"] = options.Network.Channels,
        ["center_input_sample"] = false,
        ["cross_attention_dim"] = 2 * options.Network.TextWidth,
        ["down_block_types"] = new[] { "DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D" },
        ["downsample_padding"] = 1,
        ["flip_sin_to_cos"] = true,
        ["freq_shift"] = 0,
        ["in_channels"] = LatentCode.Channels,
        ["layers_per_block"] = options.Network.Layers,
        ["mid_block_type"] = "UNetMidBlock2DCrossAttn",
        ["norm_eps"] = 1e-5,
        ["norm_num_groups"] = options.Network.NormGroups,
        ["out_channels"] = LatentCode.Channels,
        ["projection_class_embeddings_input_dim"] = 6 * options.Network.TimeIdChannels + options.Network.TextWidth,
        ["sample_size"] = options.CodedSize / LatentCode.Patch,
        ["transformer_layers_per_block"] = options.Network.TransformerLayers,
        ["up_block_types"] = new[] { "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D" },
        ["use_linear_projection"] = true,
    };

    private static Dictionary<string,
        object?> TextEncoder(NetworkOptions network, bool second, int vocabulary, int startId, int endId) => new()
        {
            ["architectures"] = new[] { second ? "CLIPTextModelWithProjection" : "CLIPTextModel" },
            ["model_type"] = "clip_text_model",
            ["bos_token_id"] = startId,
            ["eos_token_id"] = endId,
            ["pad_token_id"] = second ? 0 : endId,
            ["hidden_act"] = second ? "gelu" : "quick_gelu",
            ["hidden_size"] = network.TextWidth,
            ["intermediate_size"] = 4 * network.TextWidth,
            ["layer_norm_eps"] = 1e-5,
            ["max_position_embeddings"] = Positions,
            ["num_attention_heads"] = network.TextHeads,
            ["num_hidden_layers"] = network.TextLayers,
            ["projection_dim"] = network.TextWidth,
            ["vocab_size"] = vocabulary,
        };

    private static void Write(string folder, string part, string file, Dictionary<string, object?> values)
    {
        var directory = Directory.CreateDirectory(Path.Combine(folder, part)).FullName;
        AtomicFile.WriteAllText(Path.Combine(directory, file), JsonSerializer.Serialize(values, Indented) + "\n");
    }
}

/// <summary>
/// Makes a tokenizer in CLIP's format for the words of the caption grammar. As in CLIP, each byte is a token, and each byte at the end of a
/// word is another. Each word of the grammar is a token, too; other words are split.
/// </summary>
internal sealed class MiniTokenizer
{
    private const string EndOfWord = "</w>", Start = "<|startoftext|>", End = "<|endoftext|>";
    private readonly OrderedDictionary<(string Left, string Right), int> _merges = [];
    private readonly Dictionary<string, int> _vocabulary = [];

    public MiniTokenizer(IEnumerable<string> phrases)
    {
        var symbols = ByteSymbols();
        foreach (var symbol in symbols)
            Add(symbol);
        foreach (var symbol in symbols)
            Add(symbol + EndOfWord);
        foreach (var word in phrases.SelectMany(phrase => phrase.Split(' ')).Where(word => word.Length > 1)
            .Distinct().Order(StringComparer.Ordinal))
            MergeWord(word);
        Add(Start);
        Add(End);
    }

    public static MiniTokenizer OfGrammar() => new(CaptionGrammar.Phrases);

    public int Count => _vocabulary.Count;

    public int StartId => _vocabulary[Start];

    public int EndId => _vocabulary[End];

    /// <summary>Writes vocab.json, merges.txt, tokenizer_config.json and special_tokens_map.json.</summary>
    public void Write(string folder, string padToken)
    {
        Directory.CreateDirectory(folder);
        AtomicFile.WriteAllText(Path.Combine(folder, "vocab.json"), JsonSerializer.Serialize(_vocabulary));
        var merges = _merges.Keys.Select(pair => $"{pair.Left} {pair.Right}").Prepend("#version: 0.2");
        AtomicFile.WriteAllText(Path.Combine(folder, "merges.txt"), string.Join('\n', merges) + "\n");
        var special = new Dictionary<string, object>
        {
            ["bos_token"] = Start,
            ["eos_token"] = End,
            ["unk_token"] = End,
            ["pad_token"] = padToken,
        };
        AtomicFile.WriteAllText(Path.Combine(folder, "special_tokens_map.json"), JsonSerializer.Serialize(special));
        special["tokenizer_class"] = "CLIPTokenizer";
        special["model_max_length"] = MiniConfigurations.Positions;
        AtomicFile.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), JsonSerializer.Serialize(special));
    }

    public static string FirstPad => End;

    /// <summary>The token with id 0, which pads in the second tokenizer of SDXL.</summary>
    public static string SecondPad => "!";

    // Adds merges from the left until the word is one token. New merges come last, so that earlier words stay whole.
    private void MergeWord(string word)
    {
        for (var parts = Split(word); parts.Count > 1; parts = Split(word))
        {
            _merges.Add((parts[0], parts[1]), _merges.Count);
            Add(parts[0] + parts[1]);
        }
    }

    // Byte pair encoding: applies the earliest merge first, everywhere in the word.
    private List<string> Split(string word)
    {
        var parts = word.Select(letter => letter.ToString()).ToList();
        parts[^1] += EndOfWord;
        while (true)
        {
            var pairs = parts.Zip(parts.Skip(1)).Where(_merges.ContainsKey).ToList();
            if (pairs.Count == 0)
                return parts;
            var best = pairs.MinBy(pair => _merges[pair]);
            for (var i = 0; i + 1 < parts.Count; i++)
                if ((parts[i], parts[i + 1]) == best)
                {
                    parts[i] += parts[i + 1];
                    parts.RemoveAt(i + 1);
                }
        }
    }

    private void Add(string token) => _vocabulary.TryAdd(token, _vocabulary.Count);

    // GPT-2's printable characters for the 256 bytes, in the order of CLIP's vocabulary.
    private static IReadOnlyList<string> ByteSymbols()
    {
        int[] printable =
        [
            .. Enumerable.Range('!', '~' - '!' + 1), .. Enumerable.Range('¡', '¬' - '¡' + 1), .. Enumerable.Range('®', 'ÿ' - '®' + 1),
        ];
        var others = Enumerable.Range(0, 256 - printable.Length).Select(i => 256 + i);
        return [.. printable.Concat(others).Select(code => new Rune(code).ToString())];
    }
}
