using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// The U-Net, both text encoders, and the label heads that are used in training. They are built from the configuration files of the model
/// folder, with the same modules as any model.
/// </summary>
internal sealed class MiniNetwork : IDisposable
{
    // Sigma of the largest timestep, and the shares of signal and noise in v-prediction.
    private const double Sigma = 14.614642;
    private const int Timestep = 999;
    private static readonly double Signal = 1 / Math.Sqrt(Sigma * Sigma + 1), Noise = Sigma * Signal;
    private readonly Weights[] _weights;
    private readonly ClipTextEncoder _text, _text2;
    private readonly float[] _timeIds;

    public MiniNetwork(string folder, int seed, Device device)
    {
        Device = device;
        var (unet, text, text2, heads) =
            (Tree(seed), Tree(seed + 1, name => name == "text_projection.weight"), Tree(seed + 2), Tree(seed + 3));
        _weights = [unet, text, text2, heads];
        UNet = new UNet(unet, UNetConfig.From(JsonConfig.Load(Path.Combine(folder, "unet", "config.json"))));
        _text = new ClipTextEncoder(text, ClipTextConfig.From(JsonConfig.Load(Path.Combine(folder, "text_encoder", "config.json"))));
        _text2 = new ClipTextEncoder(text2, ClipTextConfig.From(JsonConfig.Load(Path.Combine(folder, "text_encoder_2", "config.json"))));
        Heads = [.. MiniSites.All.Select(site => new LabelHead(heads.At(site.Code), UNet.ShapeOf(site).Channels))];
        foreach (var weights in _weights)
            weights.Load();
        KeyValuePair<string, Tensor>[] leaves =
        [
            .. NamedTensors.Of(unet, "unet."), .. NamedTensors.Of(text, "text_encoder."), .. NamedTensors.Of(text2, "text_encoder_2."),
            .. NamedTensors.Of(heads, "heads."),
        ];
        Leaves = [.. leaves.OrderBy(IsMatrix)];
        Matrices = [.. Leaves.Where(IsMatrix)];
        PictureSize = SizeIds.PictureSizeOf(folder);
        _timeIds = SizeIds.Of(PictureSize);
    }

    public Device Device { get; }

    /// <summary>Side of the decoded pictures in pixels, which the U-Net is told.</summary>
    public int PictureSize { get; }

    public UNet UNet { get; }

    /// <summary>One for each of <see cref="MiniSites.All"/>.</summary>
    public IReadOnlyList<LabelHead> Heads { get; }

    /// <summary>All trained tensors by name. <see cref="Matrices"/> come last.</summary>
    public IReadOnlyList<KeyValuePair<string, Tensor>> Leaves { get; }

    /// <summary>The tensors that <see cref="Muon"/> trains: all matrices except embeddings, the first and last convolution, and the
    /// heads.</summary>
    public IReadOnlyList<KeyValuePair<string, Tensor>> Matrices { get; }

    /// <summary>The weights of a part by name.</summary>
    /// <param name="part">"unet", "text_encoder", "text_encoder_2" or "heads".</param>
    public IReadOnlyDictionary<string, Tensor> TensorsOf(string part) =>
        _weights[part switch { "unet" => 0, "text_encoder" => 1, "text_encoder_2" => 2, _ => 3 }].Tensors;

    /// <summary>Encodes captions: the concatenated hidden states of both encoders, and the pooled text.</summary>
    /// <param name="ids">Ids of the first tokenizer.</param>
    /// <param name="ids2">Ids of the second tokenizer.</param>
    public (Tensor Hidden, Tensor Pooled) Encode(IReadOnlyList<IReadOnlyList<int>> ids, IReadOnlyList<IReadOnlyList<int>> ids2)
    {
        using var scope = NewDisposeScope();
        var (first, second) = (_text.Penultimate(ids), _text2.Forward(ids2));
        return (cat([first, second.Penultimate], -1).MoveToOuterDisposeScope(), second.Pooled.MoveToOuterDisposeScope());
    }

    /// <summary>Predicts clean latents from noise in one step.</summary>
    /// <param name="noise">[B, 4, 64, 64], with unit variance.</param>
    /// <param name="cutFrom">Index in <see cref="MiniSites.ReadersAfter"/> from which transformers get zeros instead of the text.</param>
    public Tensor Predict(Tensor noise, Tensor hidden, Tensor pooled, int cutFrom = int.MaxValue)
    {
        using var scope = NewDisposeScope();
        var silent = zeros_like(hidden);
        var cut = MiniSites.ReadersAfter.Skip(cutFrom).ToHashSet();
        var timeIds = tensor(_timeIds, device: Device).unsqueeze(0).repeat(noise.shape[0], 1);
        using var conditioning = UNet.Prepare(site => cut.Contains(site) ? silent : hidden, pooled, timeIds);
        var velocity = UNet.Forward(noise.Times(Noise), tensor(Timestep, device: Device), conditioning);
        return (noise.Times(Sigma * Signal * Signal) - velocity.Times(Noise)).MoveToOuterDisposeScope();
    }

    /// <summary>Copies the weights of another network.</summary>
    public void CopyFrom(MiniNetwork other)
    {
        using var noGrad = no_grad();
        foreach (var (mine, theirs) in Leaves.Zip(other.Leaves))
            mine.Value.copy_(theirs.Value);
    }

    public void Dispose()
    {
        foreach (var weights in _weights)
            weights.Dispose();
    }

    private static bool IsMatrix(KeyValuePair<string, Tensor> leaf) => leaf.Value.dim() > 1
        && !leaf.Key.StartsWith("heads.", StringComparison.Ordinal)
        && !((string[])["embed", "conv_in", "conv_out"]).Any(part => leaf.Key.Contains(part, StringComparison.Ordinal));

    private Weights Tree(int seed, Func<string, bool>? absent = null) => new(new RandomWeights(seed, absent), ScalarType.Float32, Device);
}

/// <summary>The sites of unbox-mini.</summary>
internal static class MiniSites
{
    /// <summary>In the order of the U-Net.</summary>
    public static readonly IReadOnlyList<Site> All = Site.Named;

    /// <summary>The transformers after the first site. Those from index i on come after site i.</summary>
    public static readonly IReadOnlyList<Site> ReadersAfter = [Site.Middle, Site.Details, Site.Style, Site.Up(0, 2)];
}

/// <summary>
/// Predicts the labels linearly from the delta of a site (its output - input). It is used only in training: it makes deltas represent what
/// is drawn in each cell along separate directions, which a dictionary can find and a brush can paint.
/// </summary>
internal sealed class LabelHead(Weights weights, int channels)
{
    private readonly Tensor _weight = weights.Get("weight", SceneLabels.Count, channels);
    private readonly Tensor _bias = weights.Get("bias", SceneLabels.Count);

    /// <summary>[labels, channels].</summary>
    public Tensor Directions => _weight;

    /// <summary>The mean cross entropy.</summary>
    /// <param name="delta">[B, channels, 16, 16].</param>
    /// <param name="labels">[B, labels, 16, 16].</param>
    public Tensor Loss(Tensor delta, Tensor labels)
    {
        using var scope = NewDisposeScope();
        var cells = nn.functional.layer_norm(delta.permute(0, 2, 3, 1), [channels]);
        var scores = nn.functional.linear(cells, _weight, _bias);
        return nn.functional.binary_cross_entropy_with_logits(scores, labels.permute(0, 2, 3, 1)).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Initial weights that pass the noise to the coarse levels from the start: four channels carry it through the first convolution, the
/// downsamplers average it (times two, to keep unit variance), and the shortcuts pass it on if the width changes.
/// </summary>
internal static class NetworkStart
{
    public static void Apply(MiniNetwork network)
    {
        using var noGrad = no_grad();
        var unet = network.TensorsOf("unet");
        foreach (var (name, tensor) in unet)
            if (name.EndsWith("conv2.weight", StringComparison.Ordinal))
                tensor.MultiplyInPlace(.1);
        Carry(unet, "conv_in", kernel => kernel[1, 1].Fill(1));
        foreach (var name in unet.Keys.Where(name => name.EndsWith("downsamplers.0.conv.weight", StringComparison.Ordinal)))
            Carry(unet, name[..^".weight".Length], kernel => kernel.narrow(0, 1, 2).narrow(1, 1, 2).Fill(.5));
        foreach (var name in unet.Keys.Where(name => name.StartsWith("down_blocks", StringComparison.Ordinal)
            && name.EndsWith("conv_shortcut.weight", StringComparison.Ordinal)))
            Carry(unet, name[..^".weight".Length], kernel => kernel[0, 0].Fill(1));
    }

    /// <summary>Reads the weights of a trained model, and its label heads if the folder has them.</summary>
    public static void Read(MiniNetwork network, MiniFolder start)
    {
        using var noGrad = no_grad();
        foreach (var part in (string[])["unet", "text_encoder", "text_encoder_2"])
            start.ReadPart(part, network.TensorsOf(part));
        if (SizeIds.PictureSizeOf(start.Model) is var size && size != network.PictureSize)
            SizeIds.MakeConstant(network, size);
        if (!File.Exists(start.Heads))
            return;
        using var heads = Checkpoint.Open(start.Heads);
        foreach (var (name, tensor) in network.TensorsOf("heads"))
            heads.Read(name, tensor);
    }

    private static void Carry(IReadOnlyDictionary<string, Tensor> weights, string convolution, Action<Tensor> setKernel)
    {
        using var scope = NewDisposeScope();
        var weight = weights[convolution + ".weight"];
        weight.narrow(0, 0, LatentCode.Channels).zero_();
        weights[convolution + ".bias"].narrow(0, 0, LatentCode.Channels).zero_();
        for (var channel = 0; channel < LatentCode.Channels; channel++)
            setKernel(weight[channel, channel]);
    }
}

/// <summary>
/// The picture's size as an input of the U-Net (the micro-conditioning of SDXL, arXiv 2307.01952, section 2.2). All pictures of a training
/// have one size, so it adds a constant that means nothing; another size would add another constant.
/// </summary>
internal static class SizeIds
{
    private const string Layer = "add_embedding.linear_1.";

    /// <summary>Height and width, no crop, and the wanted height and width.</summary>
    public static float[] Of(int pictureSize) => [pictureSize, pictureSize, 0, 0, pictureSize, pictureSize];

    /// <summary>The default side of the pictures of a model folder, in pixels.</summary>
    public static int PictureSizeOf(string folder) =>
        UNetConfig.From(JsonConfig.Load(Path.Combine(folder, "unet", "config.json"))).SampleSize
            * AutoencoderTinyConfig.From(JsonConfig.Load(Path.Combine(folder, "vae", "config.json"))).PixelsPerCell;

    /// <summary>Moves what pictures of one size add into the bias, so that pictures of every size get it.</summary>
    public static void MakeConstant(MiniNetwork network, int pictureSize)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var unet = network.TensorsOf("unet");
        var (weight, bias) = (unet[Layer + "weight"], unet[Layer + "bias"]);
        var embedded = Embed(Of(pictureSize), network.UNet.Config.Addition!.TimeIdChannels);
        var columns = weight.narrow(1, weight.shape[1] - embedded.Length, embedded.Length);
        bias.Accumulate((columns * tensor(embedded, device: network.Device)).sum([1L]));
        columns.zero_();
    }

    // The cosines of each number, then its sines, as in the U-Net's configuration.
    private static float[] Embed(float[] ids, int channels) =>
        [.. ids.SelectMany(id => Enumerable.Range(0, channels).Select(i =>
        {
            var angle = id * Math.Pow(10000, -(double)(i % (channels / 2)) / (channels / 2));
            return (float)(i < channels / 2 ? Math.Cos(angle) : Math.Sin(angle));
        }))];
}

/// <summary>
/// Words that no caption has are not trained. With their random embeddings the text encoders would give the U-Net something it never saw,
/// and a picture in one step would become a mean of many.
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
