using System.Text.Json;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// CLIP with both towers (arXiv 2103.00020). It embeds images and texts as unit vectors, whose cosine is high if the text describes the
/// image. Not thread-safe.
/// </summary>
public sealed class ClipModel : IDisposable
{
    private const int MaxAspectRatio = 64;

    private readonly Weights _weights;
    private readonly ClipTokenizer _tokenizer;
    private readonly ClipImagePreparation _preparation;
    private readonly Precision _precision;
    private readonly Towers _towers;

    private ClipModel(
        Weights weights, Towers towers, ClipConfig config, ClipTokenizer tokenizer, ClipImagePreparation preparation, Precision precision)
    {
        (_weights, _towers, Config, _tokenizer, _preparation, _precision) = (weights, towers, config, tokenizer, preparation, precision);
    }

    public ClipConfig Config { get; }

    /// <summary>The factor of cosines before a softmax: e^logit_scale.</summary>
    public double Scale => Math.Exp(_towers.LogitScale.to_type(ScalarType.Float32).item<float>());

    /// <summary>
    /// Loads a folder in the layout of openai/clip-vit-base-patch32: config.json, preprocessor_config.json, weights, vocab.json and
    /// merges.txt.
    /// </summary>
    /// <exception cref="ModelException">A configuration or the tokenizer is missing, not usable, or does not match the others.</exception>
    /// <exception cref="CheckpointException">The weights are damaged or do not match the configuration.</exception>
    public static ClipModel Load(string folder, ScalarType dtype = ScalarType.Float32, Device? device = null)
    {
        var config = ClipConfig.From(JsonConfig.Load(Path.Combine(folder, "config.json")));
        var preparation = ClipImagePreparation.From(JsonConfig.Load(Path.Combine(folder, "preprocessor_config.json")), config.Vision);
        var tokenizer = ClipTokenizer.Load(folder);
        if (tokenizer.VocabularySize > config.Text.VocabularySize || tokenizer.MaxLength > config.Text.MaxPositions)
            throw new ModelException(
                $"{folder}: the tokenizer makes {tokenizer.MaxLength} ids up to {tokenizer.VocabularySize - 1}, but the text tower "
                + $"takes {config.Text.MaxPositions} (max_position_embeddings) below {config.Text.VocabularySize} (vocab_size).");
        var precision = Precision.For(dtype, device ?? CPU);
        using var checkpoint = Checkpoint.OpenFolder(folder, preferHalf: precision.Storage == ScalarType.Float16);
        var (towers, weights) = precision.Load(checkpoint, tree => new Towers(tree, config));
        return new ClipModel(weights, towers, config, tokenizer, preparation, precision);
    }

    /// <inheritdoc cref="Load(string, ScalarType, Device)"/>
    public static ClipModel Load(string folder) => Load(folder, ScalarType.Float32);

    /// <summary>Embeds texts as unit vectors, [B, P], float32 on the CPU. Text beyond the maximum number of tokens is ignored.</summary>
    public Tensor EmbedTexts(params IReadOnlyList<string> texts)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        return Normalize(_towers.Text.Forward([.. texts.Select(text => _tokenizer.Tokenize(text).Ids)]).Pooled).MoveToOuterDisposeScope();
    }

    /// <summary>Embeds one text like <see cref="EmbedTexts"/>, as P numbers.</summary>
    public float[] EmbedText(string text)
    {
        using var scope = NewDisposeScope();
        return EmbedTexts(text).contiguous().data<float>().ToArray();
    }

    /// <summary>Embeds an image as a unit vector, [P], float32 on the CPU.</summary>
    /// <param name="pixels">height * width * 3 bytes: red, green, blue.</param>
    /// <exception cref="ModelException">The size does not match the pixels, or one side is more than 64 times the other.</exception>
    public Tensor EmbedPicture(ReadOnlySpan<byte> pixels, int width, int height)
    {
        if (width < 1 || height < 1 || pixels.Length != (long)width * height * 3)
            throw new ModelException($"An image of {width} x {height} pixels with 3 channels cannot have {pixels.Length} bytes.");
        if (Math.Max(width, height) / Math.Min(width, height) > MaxAspectRatio)
            throw new ModelException(
                $"An image of {width} x {height} pixels is too long; one side may be at most {MaxAspectRatio} times the other.");
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var side = _preparation.Side;
        var prepared = _precision.Place(tensor(_preparation.Prepare(pixels, width, height)).view(1, 3, side, side));
        return Normalize(_towers.Vision.Forward(prepared))[0].MoveToOuterDisposeScope();
    }

    public void Dispose() => _weights.Dispose();

    private static Tensor Normalize(Tensor rows)
    {
        var exact = rows.to_type(ScalarType.Float32).cpu();
        return exact / exact.norm(1, true).AtLeast(1e-12);
    }

    private sealed class Towers(Weights weights, ClipConfig config)
    {
        public ClipTextEncoder Text { get; } = new(weights, config.Text, requireProjection: true);

        public ClipVisionEncoder Vision { get; } = new(weights, config.Vision, config.ProjectionSize);

        public Tensor LogitScale { get; } = weights.Get("logit_scale");
    }
}

/// <summary>The config.json of a CLIP model with both towers.</summary>
/// <param name="Text">Configuration of the text tower.</param>
/// <param name="Vision">Configuration of the vision tower.</param>
/// <param name="ProjectionSize">Width of the embeddings of both towers.</param>
public sealed record ClipConfig(ClipTextConfig Text, ClipVisionConfig Vision, int ProjectionSize)
{
    /// <summary>Reads a configuration.</summary>
    /// <exception cref="ModelException">A value is missing, malformed or not supported.</exception>
    public static ClipConfig From(JsonConfig json)
    {
        json.Choice("model_type", "clip", "clip");
        var size = json.Count("projection_dim", 512);
        // The width of the whole model overrides that in the configurations of the towers.
        var text = ClipTextConfig.From(json.Part("text_config")) with { ProjectionSize = size };
        return new(text, ClipVisionConfig.From(json.Part("vision_config")), size);
    }
}

/// <summary>The vision_config of a CLIP model.</summary>
/// <param name="HiddenSize">Width of the hidden states.</param>
/// <param name="IntermediateSize">Width inside the feed-forward layers.</param>
/// <param name="Layers">Transformer layers.</param>
/// <param name="Heads">Attention heads; the number divides HiddenSize.</param>
/// <param name="ImageSize">Side of the square input image in pixels.</param>
/// <param name="PatchSize">Side of a patch in pixels; divides ImageSize.</param>
/// <param name="Activation">quick_gelu or gelu.</param>
/// <param name="NormEpsilon">Epsilon of each layer norm.</param>
public sealed record ClipVisionConfig(
    int HiddenSize, int IntermediateSize, int Layers, int Heads, int ImageSize, int PatchSize, string Activation, double NormEpsilon)
{
    /// <summary>Channels of an image.</summary>
    public const int Channels = 3;

    private const int MaxImageSize = 4096;

    /// <summary>Patches of an image.</summary>
    public int Patches => ImageSize / PatchSize * (ImageSize / PatchSize);

    internal ClipLayerShape Layer => new(HiddenSize, IntermediateSize, Heads, Activation, NormEpsilon, Causal: false);

    /// <summary>Reads a configuration. Missing keys get the defaults of transformers, which are those of ViT-B/32.</summary>
    /// <exception cref="ModelException">A value is malformed or not supported.</exception>
    public static ClipVisionConfig From(JsonConfig json)
    {
        json.Choice("model_type", "clip_vision_model", "clip_vision_model");
        var (width, heads) = (json.Count("hidden_size", 768), json.Count("num_attention_heads", 12));
        if (width % heads != 0)
            throw json.Wrong("num_attention_heads", $"a divisor of hidden_size {width}, but is {heads}");
        var (side, patch) = (json.Count("image_size", 224, max: MaxImageSize), json.Count("patch_size", 32));
        if (side % patch != 0)
            throw json.Wrong("patch_size", $"a divisor of image_size {side}, but is {patch}");
        if (json.Count("num_channels", Channels) is var channels && channels != Channels)
            throw json.Wrong("num_channels", $"{Channels}, but is {channels}");
        return new ClipVisionConfig(
            width,
            json.Count("intermediate_size", 3072),
            json.Count("num_hidden_layers", 12),
            heads,
            side,
            patch,
            json.Choice("hidden_act", "quick_gelu", "quick_gelu", "gelu"),
            json.Number("layer_norm_eps", 1e-5) is var epsilon and > 0 ? epsilon : throw json.Wrong("layer_norm_eps", "above 0"));
    }
}

/// <summary>The vision transformer of CLIP (arXiv 2103.00020). Its tokens are a class token and the patches of the image.</summary>
internal sealed class ClipVisionEncoder
{
    private readonly Tensor _class, _positions, _projection;
    private readonly Conv2d _patches;
    private readonly LayerNorm _firstNorm, _lastNorm;
    private readonly ClipLayer[] _layers;

    /// <param name="weights">Registers the tensors here; its Load reads them.</param>
    /// <param name="config">Sizes and options of the tower.</param>
    /// <param name="projectionSize">Width of the embeddings.</param>
    public ClipVisionEncoder(Weights weights, ClipVisionConfig config, int projectionSize)
    {
        Config = config;
        var (model, width) = (weights.At("vision_model"), config.HiddenSize);
        var embeddings = model.At("embeddings");
        // Files from before 2023 also store the numbers 0, 1, 2, …
        embeddings.Ignore("position_ids");
        _class = embeddings.Get("class_embedding", width);
        var (patches, patch) = (embeddings.At("patch_embedding"), config.PatchSize);
        _patches = new Conv2d(patches, ClipVisionConfig.Channels, width, kernel: patch, stride: patch, bias: false);
        _positions = embeddings.Get("position_embedding.weight", config.Patches + 1, width);
        // Misspelt in the published files.
        _firstNorm = new LayerNorm(model.At("pre_layrnorm"), width, config.NormEpsilon);
        _layers = [.. Enumerable.Range(0, config.Layers).Select(i => new ClipLayer(model.At($"encoder.layers.{i}"), config.Layer))];
        _lastNorm = new LayerNorm(model.At("post_layernorm"), width, config.NormEpsilon);
        _projection = weights.Get("visual_projection.weight", projectionSize, width);
    }

    public ClipVisionConfig Config { get; }

    /// <summary>Preprocessed images [B, 3, side, side] to embeddings [B, P], not normalised.</summary>
    public Tensor Forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        var patches = _patches.Forward(images).flatten(2).transpose(1, 2);
        var first = _class.expand(patches.shape[0], 1, Config.HiddenSize);
        var states = _firstNorm.Forward(cat([first, patches], 1).Plus(_positions));
        foreach (var layer in _layers)
            states = states.Into(layer.Forward);
        return Functional.Linear(_lastNorm.Forward(states.select(1, 0)), _projection).MoveToOuterDisposeScope();
    }
}

/// <summary>A layer of a CLIP tower: self-attention and a feed-forward layer; each normalises its input and adds to it.</summary>
internal sealed class ClipLayer
{
    private readonly ClipLayerShape _shape;
    private readonly LayerNorm _attentionNorm, _networkNorm;
    private readonly WeightMatrix _projections;
    private readonly Tensor _projectionBiases;
    private readonly Linear _output, _widen, _narrow;

    public ClipLayer(Weights weights, ClipLayerShape shape)
    {
        _shape = shape;
        var (width, inner) = (shape.Width, shape.Inner);
        var attention = weights.At("self_attn");
        _attentionNorm = new LayerNorm(weights.At("layer_norm1"), width, shape.NormEpsilon);
        _projections = attention.GetMatrix(["q_proj.weight", "k_proj.weight", "v_proj.weight"], width, width);
        _projectionBiases = attention.GetFused(["q_proj.bias", "k_proj.bias", "v_proj.bias"], width);
        _output = new Linear(attention.At("out_proj"), width, width);
        _networkNorm = new LayerNorm(weights.At("layer_norm2"), width, shape.NormEpsilon);
        _widen = new Linear(weights.At("mlp.fc1"), width, inner);
        _narrow = new Linear(weights.At("mlp.fc2"), inner, width);
    }

    /// <summary>[B, L, D] to the same shape.</summary>
    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var attended = AttendAdd(x);
        return _narrow.ForwardAdd(Activate(_widen.Forward(_networkNorm, attended)), attended).MoveToOuterDisposeScope();
    }

    private Tensor AttendAdd(Tensor x)
    {
        var projected = _projections.Multiply(_attentionNorm, x, _projectionBiases).chunk(3, -1);
        return _output.ForwardAdd(Attention.Forward(projected[0], projected[1], projected[2], _shape.Heads, _shape.Causal), x);
    }

    // quick_gelu is x * sigmoid(1.702 x), an approximation of gelu (arXiv 1606.08415).
    private Tensor Activate(Tensor x) => _shape.Activation == "gelu"
        ? InPlace.Gelu(x)
        : InPlace.Multiply(x.Times(1.702).sigmoid(), x);
}

/// <summary>Sizes and options that the layers of a tower share.</summary>
/// <param name="Width">Width of the hidden states.</param>
/// <param name="Inner">Width inside the feed-forward layers.</param>
/// <param name="Heads">Attention heads; the number divides Width.</param>
/// <param name="Activation">quick_gelu or gelu.</param>
/// <param name="NormEpsilon">Epsilon of each layer norm.</param>
/// <param name="Causal">Each token sees only itself and earlier tokens; true for text.</param>
internal readonly record struct ClipLayerShape(int Width, int Inner, int Heads, string Activation, double NormEpsilon, bool Causal);

/// <summary>
/// The preprocessing in preprocessor_config.json: resizes an image, crops its centre to a square and normalises each channel.
/// </summary>
/// <param name="ShortSide">Length in pixels of the shorter side after resizing.</param>
/// <param name="Side">Side in pixels of the cropped square.</param>
/// <param name="Mean">Means of red, green and blue, where white is 1.</param>
/// <param name="Deviation">Standard deviations of red, green and blue.</param>
internal sealed record ClipImagePreparation(int ShortSide, int Side, IReadOnlyList<double> Mean, IReadOnlyList<double> Deviation)
{
    private const int Bicubic = 3;

    /// <summary>Reads a configuration. Missing keys get the values of the published models.</summary>
    /// <exception cref="ModelException">A value is malformed, not supported, or does not match the vision tower.</exception>
    public static ClipImagePreparation From(JsonConfig json, ClipVisionConfig vision)
    {
        foreach (var step in (string[])["do_resize", "do_center_crop", "do_normalize"])
            if (!json.Flag(step, true))
                throw json.Wrong(step, "true, because nothing else is supported");
        if (json.Integer("resample", Bicubic) != Bicubic)
            throw json.Wrong("resample", $"{Bicubic} (bicubic)");
        var (shortSide, side) = (ReadSide(json, "size", "shortest_edge"), ReadSide(json, "crop_size", "height"));
        if (side != vision.ImageSize)
            throw json.Wrong("crop_size", $"image_size {vision.ImageSize} of the vision tower, but is {side}");
        if (shortSide < side)
            throw json.Wrong("size", $"at least crop_size {side}, but is {shortSide}");
        var mean = ReadChannels(json, "image_mean", [.48145466, .4578275, .40821073]);
        var deviation = ReadChannels(json, "image_std", [.26862954, .26130258, .27577711]);
        return deviation.All(value => value > 0)
            ? new(shortSide, side, mean, deviation)
            : throw json.Wrong("image_std", "three numbers above 0");
    }

    /// <summary>Preprocesses one image to [3, side, side], row by row.</summary>
    /// <param name="pixels">height * width * 3 bytes.</param>
    public float[] Prepare(ReadOnlySpan<byte> pixels, int width, int height)
    {
        var (newWidth, newHeight) = width <= height
            ? (ShortSide, (int)((long)ShortSide * height / width))
            : ((int)((long)ShortSide * width / height), ShortSide);
        var resized = BicubicResampling.Resize(pixels, width, height, newWidth, newHeight);
        var (left, top) = ((newWidth - Side) / 2, (newHeight - Side) / 2);
        var values = new float[3 * Side * Side];
        for (var channel = 0; channel < 3; channel++)
            for (var row = 0; row < Side; row++)
                for (var column = 0; column < Side; column++)
                {
                    var value = resized[((((top + row) * newWidth) + left + column) * 3) + channel] / 255.0;
                    values[(((channel * Side) + row) * Side) + column] = (float)((value - Mean[channel]) / Deviation[channel]);
                }
        return values;
    }

    // Old files contain a number, newer ones an object.
    private static int ReadSide(JsonConfig json, string key, string inner) =>
        json.Find(key) is { ValueKind: JsonValueKind.Object } ? json.Part(key).Count(inner) : json.Count(key, 224);

    private static IReadOnlyList<double> ReadChannels(JsonConfig json, string key, double[] fallback) =>
        json.Numbers(key, fallback) is { Count: 3 } values ? values : throw json.Wrong(key, "three numbers");
}

/// <summary>
/// Resizes images like the bicubic filter of Pillow: the kernel (Keys 1981, a = -1/2) widens if the image shrinks; first the width changes,
/// then the height; each pass rounds to bytes.
/// </summary>
internal static class BicubicResampling
{
    private const double A = -.5, Support = 2;

    /// <param name="pixels">height * width * 3 bytes.</param>
    public static byte[] Resize(ReadOnlySpan<byte> pixels, int width, int height, int newWidth, int newHeight)
    {
        var narrow = new byte[newWidth * height * 3];
        for (var column = 0; column < newWidth; column++)
        {
            var (first, weights) = Weights(column, width, newWidth);
            for (var row = 0; row < height; row++)
                for (var channel = 0; channel < 3; channel++)
                    narrow[((row * newWidth) + column) * 3 + channel] = Sum(pixels, weights, ((row * width) + first) * 3 + channel, 3);
        }

        var result = new byte[newWidth * newHeight * 3];
        for (var row = 0; row < newHeight; row++)
        {
            var (first, weights) = Weights(row, height, newHeight);
            for (var value = 0; value < newWidth * 3; value++)
                result[(row * newWidth * 3) + value] = Sum(narrow, weights, (first * newWidth * 3) + value, newWidth * 3);
        }
        return result;
    }

    // The weights, of sum 1, of the old pixels that make one new pixel. At an edge there are fewer.
    private static (int First, double[] Weights) Weights(int index, int from, int to)
    {
        var scale = (double)from / to;
        var wide = Math.Max(scale, 1);
        var centre = (index + .5) * scale;
        var first = Math.Max(0, (int)(centre - (Support * wide) + .5));
        var last = Math.Min(from, (int)(centre + (Support * wide) + .5));
        var weights = Enumerable.Range(first, last - first).Select(at => Kernel((at - centre + .5) / wide)).ToArray();
        var sum = weights.Sum();
        return (first, Array.ConvertAll(weights, weight => weight / sum));
    }

    private static double Kernel(double x) => Math.Abs(x) switch
    {
        < 1 and var near => ((((A + 2) * near) - (A + 3)) * near * near) + 1,
        < 2 and var far => ((((far - 5) * far) + 8) * far - 4) * A,
        _ => 0,
    };

    private static byte Sum(ReadOnlySpan<byte> values, double[] weights, int start, int stride)
    {
        var sum = .5;
        for (var i = 0; i < weights.Length; i++)
            sum += weights[i] * values[start + (i * stride)];
        return (byte)Math.Clamp((int)Math.Floor(sum), 0, 255);
    }
}
