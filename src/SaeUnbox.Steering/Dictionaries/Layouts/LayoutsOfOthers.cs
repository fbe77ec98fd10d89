namespace SaeUnbox.Steering;

/// <summary>
/// SAELens, from its first versions to 6: cfg.json with sae_weights.safetensors. BatchTopK and Matryoshka are saved as JumpReLU.
/// </summary>
internal sealed class SaeLensLayout : DictionaryLayout
{
    private const string FoldedScale = "scaling_factor";

    public override string Name => "SAELens";

    protected override bool Fits(DictionarySource source) => source.Has("W_enc")
        && (Writes(source.FileName) || !DictionaryLearningLayout.IsOwn(source));

    protected override bool Writes(string fileName) => fileName == "sae_weights.safetensors";

    protected override DictionaryForm Describe(DictionarySource source)
    {
        var config = source.Config
            ?? throw source.Broken("its cfg.json is missing, which tells the architecture; put it beside the weights");
        var encoder = new StoredMatrix("W_enc", FeaturesFirst: false);
        var (features, width) = source.SizeOf(encoder);
        source.RequireSize(config, "d_in", width);
        source.RequireSize(config, "d_sae", features);
        var activation = Activation(source, config, features);
        return new DictionaryForm
        {
            Layout = Name,
            Features = features,
            Width = width,
            Activation = activation,
            Encoder = encoder,
            Decoder = new StoredMatrix("W_dec", FeaturesFirst: true),
            LatentBias = activation is GatedForm ? null : "b_enc",
            InputBias = config.Flag("apply_b_dec_to_input", true) ? "b_dec" : null,
            OutputBias = "b_dec",
            Normalisation = Normalisation(source, config),
            InputScale = Scale(source, config),
            FoldsDirectionLength = config.Flag("rescale_acts_by_decoder_norm", false),
            DirectionFactor = DirectionFactor(source, config),
            Unused = source.Has(FoldedScale) ? new Dictionary<string, long[]> { [FoldedScale] = [features] } : [],
        };
    }

    private static ActivationForm Activation(DictionarySource source, JsonConfig config, int features)
    {
        var architecture = config.Text("architecture", "standard");
        switch (architecture)
        {
            case "jumprelu":
                return new JumpReluForm("threshold");
            case "gated":
                return new GatedForm("b_gate", "b_mag", "r_mag");
            case "topk" or "batchtopk" or "matryoshka_batchtopk":
                return new TopKForm(K(source, config, features));
            case "standard":
                break;
            default:
                throw source.Broken($"its architecture is \"{architecture}\"; standard, topk, jumprelu and gated can be used here");
        }

        var function = config.Text("activation_fn_str", config.Text("activation_fn", "relu"));
        return function switch
        {
            "relu" => new ReluForm(),
            "topk" => new TopKForm(K(source, config, features)),
            _ => throw source.Broken($"its activation function is \"{function}\"; relu and topk can be used here"),
        };
    }

    // Before version 6, k is an argument of the activation function.
    private static int K(DictionarySource source, JsonConfig config, int features) => source.K(
        config.Find("k") is null && config.Find("activation_fn_kwargs") is not null
            ? config.Part("activation_fn_kwargs")
            : config, features);

    private static InputNormalisation Normalisation(DictionarySource source, JsonConfig config)
    {
        // Before version 3, a flag stood for expected_average_only_in.
        if (config.Find("normalize_activations") is not { ValueKind: System.Text.Json.JsonValueKind.String })
            return InputNormalisation.None;
        return config.Text("normalize_activations") switch
        {
            // SAELens folds this factor into the weights when training ends.
            "none" or "expected_average_only_in" => InputNormalisation.None,
            "constant_norm_rescale" => InputNormalisation.ConstantNorm,
            "layer_norm" => InputNormalisation.Standard,
            var other => throw source.Broken($"normalize_activations is \"{other}\"; none, expected_average_only_in, "
                + "constant_norm_rescale and layer_norm can be used here"),
        };
    }

    // A checkpoint saved during training stores the factor separately.
    private static double Scale(DictionarySource source, JsonConfig config)
    {
        var path = Path.Combine(Path.GetDirectoryName(source.Files.Weights)!, "activation_scaler.json");
        var isPending = config.Find("normalize_activations") is { ValueKind: System.Text.Json.JsonValueKind.String } value
            && value.GetString() == "expected_average_only_in";
        if (!isPending || !File.Exists(path) || JsonConfig.Load(path) is not { } scaler || scaler.Find(FoldedScale) is null)
            return 1;
        return scaler.Number(FoldedScale) is > 0 and var factor
            ? factor
            : throw source.Broken($"{FoldedScale} in activation_scaler.json must be above 0");
    }

    // Old versions store a factor per feature, which applies only after finetuning.
    private static string? DirectionFactor(DictionarySource source, JsonConfig config) =>
        source.Has(FoldedScale) && config.Flag("finetuning_scaling_factor", false) ? FoldedScale : null;
}

/// <summary>dictionary_learning and SAEBench: ae.pt, and config.json, whose trainer section names the class.</summary>
internal sealed class DictionaryLearningLayout : DictionaryLayout
{
    private const string Threshold = "threshold", GroupSizes = "group_sizes";

    public override string Name => "dictionary_learning";

    /// <summary>Whether names and configuration are those of dictionary_learning. SAELens, too, has W_enc.</summary>
    public static bool IsOwn(DictionarySource source) =>
        IsOwnFile(source.FileName) || source.Config?.Find("trainer") is not null || source.Has(GroupSizes) || source.HasScalar(Threshold);

    protected override bool Fits(DictionarySource source) => source.Has("W_enc")
        || (source.Has(TensorNames.DecoderWeight) && (source.Has("b_dec") || source.Has("decoder.bias")))
        || (source.Has(TensorNames.DecoderWeight) && (source.Has("bias") || source.Has("decoder_bias"))
            && (IsOwnFile(source.FileName) || source.Config?.Find("trainer") is not null));

    protected override bool Writes(string fileName) => IsOwnFile(fileName);

    protected override DictionaryForm Describe(DictionarySource source)
    {
        var config = source.Config?.Find("trainer") is not null ? source.Config.Part("trainer") : source.Config;
        var kind = config?.Text("dict_class", "") is { Length: > 0 } named ? named : KindByTensors(source);
        var hasRows = kind is "MatryoshkaBatchTopKSAE" or "JumpReluAutoEncoder";
        var encoder = hasRows
            ? new StoredMatrix("W_enc", FeaturesFirst: false)
            : new StoredMatrix(TensorNames.EncoderWeight, FeaturesFirst: true);
        var (features, width) = source.SizeOf(encoder);
        source.RequireSize(config, "activation_dim", width);
        source.RequireSize(config, "dict_size", features);
        var form = new DictionaryForm
        {
            Layout = Name,
            Features = features,
            Width = width,
            Activation = Activation(source, config, kind, features),
            Encoder = encoder,
            Decoder = hasRows
                ? new StoredMatrix("W_dec", FeaturesFirst: true)
                : new StoredMatrix(TensorNames.DecoderWeight, FeaturesFirst: false),
            LatentBias = hasRows ? "b_enc" : "encoder.bias",
            PrefixSizes = Prefixes(source, features),
            Unused = Counters(source),
        };
        return kind switch
        {
            "AutoEncoder" when source.Has("bias") => form with { InputBias = "bias", OutputBias = "bias" },
            "AutoEncoder" or "AutoEncoderNew" => form with { OutputBias = "decoder.bias" },
            "GatedAutoEncoder" => form with { LatentBias = null, InputBias = "decoder_bias", OutputBias = "decoder_bias" },
            "JumpReluAutoEncoder" => form with
            {
                InputBias = config?.Flag("apply_b_dec_to_input", false) == true ? "b_dec" : null,
                OutputBias = "b_dec",
            },
            _ => form with { InputBias = "b_dec", OutputBias = "b_dec" },
        };
    }

    private static bool IsOwnFile(string fileName) => fileName == "ae.pt";

    private static string KindByTensors(DictionarySource source) =>
        source.Has(GroupSizes) ? "MatryoshkaBatchTopKSAE"
        : source.Has("W_enc") ? "JumpReluAutoEncoder"
        : source.Has("b_dec") ? source.HasScalar(Threshold) && source.Numbers(Threshold)[0] >= 0 ? "BatchTopKSAE" : "AutoEncoderTopK"
        : source.Has("decoder_bias") ? "GatedAutoEncoder"
        : "AutoEncoder";

    private static ActivationForm Activation(DictionarySource source, JsonConfig? config, string kind, int features)
    {
        switch (kind)
        {
            case "AutoEncoder" or "AutoEncoderNew":
                return new ReluForm();
            case "GatedAutoEncoder":
                return new GatedForm("gate_bias", "mag_bias", "r_mag");
            case "JumpReluAutoEncoder":
                return new JumpReluForm(Threshold);
            case "AutoEncoderTopK":
                return new TopKForm(source.K(config, features));
            case "BatchTopKSAE" or "MatryoshkaBatchTopKSAE":
                {
                    var name = kind == "BatchTopKSAE" ? "BatchTopK" : "Matryoshka BatchTopK";
                    var k = source.K(config, features);
                    return source.HasScalar(Threshold) && source.Numbers(Threshold)[0] is >= 0 and var threshold
                        ? new ThresholdForm((float)threshold, k, name)
                        : new TopKForm(k, name + ", per position at inference");
                }

            default:
                throw source.Broken($"its dict_class is \"{kind}\"; AutoEncoder, AutoEncoderNew, AutoEncoderTopK, BatchTopKSAE, "
                    + "MatryoshkaBatchTopKSAE, JumpReluAutoEncoder and GatedAutoEncoder can be used here");
        }
    }

    // The groups' own sizes become the sizes of the nested dictionaries.
    private static List<int>? Prefixes(DictionarySource source, int features)
    {
        if (!source.Has(GroupSizes))
            return null;
        var prefixes = new List<int>();
        long end = 0;
        foreach (var number in source.Numbers(GroupSizes))
        {
            var size = source.Whole(GroupSizes, number);
            end += size;
            if (size < 1 || end > features)
                throw source.Broken($"{GroupSizes} must be sizes of at least 1 that add up to {features}");
            prefixes.Add((int)end);
        }

        return prefixes.Count > 0 && prefixes[^1] == features
            ? prefixes
            : throw source.Broken($"{GroupSizes} must add up to {features}, the number of features");
    }

    private static Dictionary<string, long[]> Counters(DictionarySource source)
    {
        var counters = new[] { "k", Threshold, GroupSizes }.Where(source.Has)
            .Where(name => name != Threshold || source.HasScalar(name));
        return counters.ToDictionary(name => name, name => source.Tensors[name].Shape);
    }
}
