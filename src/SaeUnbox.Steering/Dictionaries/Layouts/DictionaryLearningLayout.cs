namespace SaeUnbox.Steering;

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
