namespace SaeUnbox.Steering;

/// <summary>A way to store dictionaries. <see cref="Of"/> detects which one files have; each converts its files into a form.</summary>
internal abstract class DictionaryLayout
{
    // Where names fit two layouts, the first one wins.
    private static readonly DictionaryLayout[] All =
        [
            new OvercompleteLayout(),
            new SaeLensLayout(),
            new DictionaryLearningLayout(),
            new SparsifyLayout(),
            new ReferenceLayout(),
            new KreaLayout()
        ];

    /// <summary>The program that writes the layout.</summary>
    public abstract string Name { get; }

    /// <summary>The form of a dictionary in these files.</summary>
    /// <exception cref="SaeException">No layout fits, or the files are incomplete.</exception>
    public static DictionaryForm FormOf(DictionarySource source) => Of(source).Describe(source);

    public static DictionaryLayout Of(DictionarySource source) =>
        All.FirstOrDefault(layout => layout.Fits(source))
        ?? All.FirstOrDefault(layout => layout.Writes(source.FileName))
        ?? throw source.Broken($"its tensors ({Shorten(source.Tensors.Keys)}) are those of no known dictionary; known are the layouts of "
            + string.Join(", ", All.Select(layout => layout.Name)));

    /// <summary>Whether the names of the tensors fit this layout.</summary>
    protected abstract bool Fits(DictionarySource source);

    /// <summary>Whether the file name alone identifies this layout.</summary>
    protected virtual bool Writes(string fileName) => false;

    protected abstract DictionaryForm Describe(DictionarySource source);

    private static string Shorten(IEnumerable<string> names)
    {
        const int most = 8;
        var sorted = names.Order(StringComparer.Ordinal).ToArray();
        return sorted.Length == 0 ? "none"
            : string.Join(", ", sorted.Take(most)) + (sorted.Length > most ? $" and {sorted.Length - most} more" : "");
    }
}

/// <summary>sdxl-unbox (the demo), Concept Steerers, and Goodfire's flat file: the reference.</summary>
internal sealed class ReferenceLayout : DictionaryLayout
{
    public override string Name => "sdxl-unbox";

    protected override bool Fits(DictionarySource source) => source.Has(TensorNames.PreBias) || source.Has(TensorNames.LatentBias);

    protected override bool Writes(string fileName) => fileName.StartsWith("state_dict.", StringComparison.Ordinal);

    protected override DictionaryForm Describe(DictionarySource source)
    {
        var encoder = new StoredMatrix(TensorNames.EncoderWeight, FeaturesFirst: true);
        var config = ConfigOf(source, encoder);
        return new DictionaryForm
        {
            Layout = Name,
            Features = config.Features,
            Width = config.Width,
            Config = config,
            PrefixSizes = config.PrefixSizes,
            Activation = config.Threshold is { } threshold ? new ThresholdForm(threshold, config.K) : new TopKForm(config.K),
            Encoder = encoder,
            Decoder = new StoredMatrix(TensorNames.DecoderWeight, FeaturesFirst: false),
            LatentBias = TensorNames.LatentBias,
            InputBias = TensorNames.PreBias,
            OutputBias = TensorNames.PreBias,
            // Some publishers omit the training counters.
            Unused = source.Has(TensorNames.StatsLastNonzero)
                ? new Dictionary<string, long[]> { [TensorNames.StatsLastNonzero] = [config.Features] }
                : [],
        };
    }

    private static SaeConfig ConfigOf(DictionarySource source, StoredMatrix encoder)
    {
        if (source.Config?.Find("n_dirs_local") is not null || (source.Config is not null && source.AskedK is null))
        {
            var config = SaeConfig.Load(source.Files.Config!);
            return source.AskedK is { } asked ? config with { K = asked } : config;
        }

        // Goodfire publishes a single file.
        var (features, width) = source.SizeOf(encoder);
        return new SaeConfig(features, width, source.K(null, features), null, 0);
    }
}

/// <summary>
/// Dictionaries of overcomplete: the encoder has one linear layer, k is not stored, and all directions have one length.
/// </summary>
internal sealed class OvercompleteLayout : DictionaryLayout
{
    private const string Weights = "dictionary._weights", Multiplier = "dictionary.multiplier";

    public override string Name => "overcomplete";

    protected override bool Fits(DictionarySource source) => source.Has(Weights);

    protected override DictionaryForm Describe(DictionarySource source)
    {
        var encoder = new StoredMatrix("encoder.final_block.0.weight", FeaturesFirst: true);
        var (features, width) = source.SizeOf(encoder);
        var multiplier = source.HasScalar(Multiplier) ? Multiplier : null;
        return new DictionaryForm
        {
            Layout = Name,
            Features = features,
            Width = width,
            Activation = new TopKForm(source.K(null, features)),
            Encoder = encoder,
            Decoder = new StoredMatrix(Weights, FeaturesFirst: true),
            LatentBias = "encoder.final_block.0.bias",
            HasUnitDirections = true,
            DirectionLogLength = multiplier,
            Unused = multiplier is null ? [] : new Dictionary<string, long[]> { [multiplier] = source.Tensors[multiplier].Shape },
        };
    }
}

/// <summary>sparsify, SAeUron and SAEmnesia: cfg.json with sae.safetensors, in a folder named by its hook point.</summary>
internal sealed class SparsifyLayout : DictionaryLayout
{
    private const string SkipConnection = "W_skip", Output = "output", Difference = "diff";

    public override string Name => "sparsify";

    protected override bool Fits(DictionarySource source) => source.Has("W_dec") && !source.Has("W_enc");

    protected override bool Writes(string fileName) => fileName == "sae.safetensors";

    protected override DictionaryForm Describe(DictionarySource source)
    {
        if (source.Has(SkipConnection))
            throw source.Broken($"it is a transcoder with a skip connection ({SkipConnection}), which maps a layer's input to its output; "
                + "only dictionaries of what a site adds can be used here");
        var config = source.Config;
        var encoder = new StoredMatrix(TensorNames.EncoderWeight, FeaturesFirst: true);
        var (features, width) = source.SizeOf(encoder);
        source.RequireSize(config, "d_in", width);
        if (config?.Find("num_latents") is not null && config.Integer("num_latents") is var stated && stated != 0)
            source.RequireSize(config, "num_latents", features);
        else if (config?.Find("expansion_factor") is not null && (long)config.Integer("expansion_factor") * width is var grown
            && grown != features)
            throw source.Broken($"the configuration says that there are {grown} features, the tensors say {features}");
        var k = source.K(config, features);
        ActivationForm activation = config?.Choice("activation", "topk", "topk", "groupmax") == "groupmax"
            ? features % k == 0 ? new GroupMaxForm(k) : throw source.Broken($"{features} features cannot be {k} groups of one size")
            : new TopKForm(k, IsBatched(config) ? "BatchTopK, per position at inference" : "TopK");
        return new DictionaryForm
        {
            Layout = Name,
            Features = features,
            Width = width,
            Activation = activation,
            Encoder = encoder,
            Decoder = new StoredMatrix("W_dec", FeaturesFirst: true),
            LatentBias = "encoder.bias",
            InputBias = config?.Flag("transcode", false) == true ? null : "b_dec",
            OutputBias = "b_dec",
            Normalisation = config?.Flag("input_unit_norm", false) == true ? InputNormalisation.Standard : InputNormalisation.None,
            ReadsOutput = config?.Choice("output_or_diff", IsSaeuron(config) ? Output : Difference, Output, Difference) == Output,
        };
    }

    // SAeUron and SAEmnesia, which descends from it, train on outputs. sparsify itself has none of these settings.
    private static bool IsSaeuron(JsonConfig config) =>
        ((string[])["sample_topk", "batch_topk", "input_unit_norm"]).Any(key => config.Find(key) is not null);

    private static bool IsBatched(JsonConfig? config) =>
        config?.Flag("batch_topk", false) == true || config?.Flag("sample_topk", false) == true;
}

/// <summary>The autoencoders of RE-N-Y (krea): config.json with features, pages and k, and model.safetensors.</summary>
internal sealed class KreaLayout : DictionaryLayout
{
    private const string LogThresholds = "logthres";

    public override string Name => "RE-N-Y";

    protected override bool Fits(DictionarySource source) =>
        source.Has(TensorNames.DecoderWeight) && (source.Has("bias") || source.Has("decoder_bias"));

    protected override DictionaryForm Describe(DictionarySource source)
    {
        var config = source.Config;
        var encoder = new StoredMatrix(TensorNames.EncoderWeight, FeaturesFirst: true);
        var (features, width) = source.SizeOf(encoder);
        source.RequireSize(config, "features", width);
        source.RequireSize(config, "pages", features);
        var isGated = source.Has("decoder_bias");
        ActivationForm activation = isGated ? new GatedForm("gate_bias", "mag_bias", "r_mag")
            : source.Has(LogThresholds) ? new JumpReluForm(LogThresholds, IsLogarithm: true)
            : source.AskedK is not null || config?.Find("k") is not null ? new TopKForm(source.K(config, features))
            : config is not null ? new ReluForm()
            : throw source.Broken("its config.json is missing, which tells a TopK autoencoder (k) from a plain one; give k with --sae-k N");
        var bias = isGated ? "decoder_bias" : "bias";
        return new DictionaryForm
        {
            Layout = Name,
            Features = features,
            Width = width,
            Activation = activation,
            Encoder = encoder,
            Decoder = new StoredMatrix(TensorNames.DecoderWeight, FeaturesFirst: false),
            LatentBias = isGated ? null : "encoder.bias",
            InputBias = bias,
            OutputBias = bias,
            // The plain and gated kinds store z in units of the directions' lengths.
            FoldsDirectionLength = activation is ReluForm or GatedForm,
        };
    }
}
