using System.Globalization;
using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>Trains the decoder from latents to pictures. The encoder is the linear code, and does not change.</summary>
internal sealed class DecoderTraining : IDisposable
{
    private const int Purpose = 2, HeldOutPurpose = 3;
    private readonly MiniTrainingOptions _options;
    private readonly LatentCode _code;
    private readonly Weights _weights;
    private readonly IReadOnlyList<KeyValuePair<string, Tensor>> _trained;
    private readonly AdamW _optimiser;
    private readonly DrawnLatents? _drawn;

    /// <param name="drawn">Gives part of the pictures latents of a U-Net; null for none.</param>
    public DecoderTraining(MiniTrainingOptions options, LatentCode code, AutoencoderTinyConfig config, Device device,
        DrawnLatents? drawn = null)
    {
        (_options, _code, _drawn) = (options, code, drawn);
        _weights = new Weights(new RandomWeights(options.Seed), ScalarType.Float32, device);
        Model = new AutoencoderTiny(_weights, config);
        _weights.Load();
        _trained = [.. _weights.Tensors.Where(pair => pair.Key.StartsWith("decoder.", StringComparison.Ordinal))];
        Initialise();
        _optimiser = new AdamW(_trained, options.Decoder.WeightDecay);
    }

    public AutoencoderTiny Model { get; }

    /// <summary>All weights of the autoencoder by name.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => _weights.Tensors;

    /// <summary>
    /// Reads the weights of the decoder of a trained model. It may have fewer stages, if those it lacks have no blocks: they begin as
    /// enlarging without a change. A decoder with other blocks starts with random weights.
    /// </summary>
    public void Begin(MiniFolder start)
    {
        var (mine, theirs) = (Model.Config, AutoencoderTinyConfig.From(JsonConfig.Load(Path.Combine(start.Model, "vae", "config.json"))));
        var more = mine.DecoderBlocks.Count - theirs.DecoderBlocks.Count;
        if (mine.DecoderWidths[0] != theirs.DecoderWidths[0] || more < 0
            || !mine.DecoderBlocks.SequenceEqual(theirs.DecoderBlocks.Concat(Enumerable.Repeat(0, more))))
            return;
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var last = LastLayer(theirs);
        using var checkpoint = Checkpoint.OpenFolder(Path.Combine(start.Model, "vae"));
        foreach (var (name, tensor) in _trained)
        {
            var (layer, rest) = (int.Parse(name.Split('.')[2], CultureInfo.InvariantCulture), name.Split('.', 4)[3]);
            if (layer < last || more == 0)
                checkpoint.Read(name, tensor);
            else if (layer == LastLayer(mine))
                checkpoint.Read($"decoder.layers.{last}.{rest}", tensor);
            else
            {
                tensor.zero_();
                tensor.select(3, 1).select(2, 1).copy_(eye(tensor.shape[0]));
            }
        }
    }

    /// <summary>All tensors of a checkpoint: weights and moments.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State => _weights.Tensors.Concat(_optimiser.State);

    /// <returns>The mean squared error of pixels from -1 to 1.</returns>
    public double Step(int step)
    {
        using var scope = NewDisposeScope();
        var decoder = _options.Decoder;
        var batch = DecoderBatch.Draw(RandomAt.Place(_options.Seed, Purpose, step), _options, _code, _drawn, _weights.Device);
        foreach (var (_, tensor) in _trained)
            tensor.requires_grad_();
        using var mixed = new MixedPrecision();
        var error = Model.Decode(batch.Latents) - batch.Pixels;
        var share = batch.Weights.mean();
        var square = (error.Square() * batch.Weights).mean() / share;
        var absolute = (error.abs() * batch.Weights).mean() / share;
        var edges = Edges(error, batch.Weights, 2).Plus(Edges(error, batch.Weights, 3));
        var loss = absolute.Plus(square.Times(decoder.MeanSquareWeight)).Plus(edges.Times(decoder.EdgeWeight) / share);
        loss.backward();
        var gradients = Gradients.Take(_trained.Select(pair => pair.Value));
        Gradients.Clip(gradients, decoder.ClipNorm);
        _optimiser.Step(step, LearningRate.At(step, decoder.Steps, decoder.WarmUp, decoder.LearningRate), gradients);
        return square.item<float>();
    }

    /// <summary>Writes a sheet of samples: true pictures above, and the same encoded and decoded below.</summary>
    public void SaveSheet(string path)
    {
        using var noGrad = no_grad();
        var sheet = new ContactSheet(_options.CodedSize / 2);
        var pictures = Enumerable.Range(0, 8).Select(HeldOutPicture).ToArray();
        foreach (var picture in pictures)
            sheet.Add(picture.Rgb);
        foreach (var picture in pictures)
        {
            using var scope = NewDisposeScope();
            sheet.Add(Image(picture));
        }
        sheet.Save(path, pictures.Length);
    }

    public void Dispose()
    {
        _optimiser.Dispose();
        _weights.Dispose();
    }

    private Tensor Image(ScenePicture picture)
    {
        var side = _options.CodedSize / LatentCode.Patch;
        var latents = tensor(_code.Encode(picture, _options.Reduction), device: _weights.Device);
        return Model.Decode(latents.reshape(1, LatentCode.Channels, side, side));
    }

    private ScenePicture HeldOutPicture(int number) =>
        SceneRenderer.Render(SceneSampler.DrawScene(RandomAt.Place(_options.Seed, HeldOutPurpose, number), _options.Scenes),
            _options.PictureSize);

    // He initialisation for layers before a relu; residual branches and the last layer start small. The encoder is the linear code.
    private void Initialise()
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (name, tensor) in _trained.Where(pair => pair.Value.dim() > 1))
            tensor.MultiplyInPlace(name.Contains(".conv.4.", StringComparison.Ordinal) ? .2 * Math.Sqrt(2) : Math.Sqrt(2));
        _trained.Last(pair => pair.Value.dim() > 1).Value.MultiplyInPlace(.1);
        _trained[^1].Value.Fill(.5);
        foreach (var (name, tensor) in LatentEncoderWeights.Of(_code, _options.Latents.ScalingFactor, Model.Config.EncoderWidths.Count))
            _weights.Tensors["encoder.layers." + name].copy_(tensor);
    }

    // Two layers before the first blocks, two for each larger size, and one after all.
    private static int LastLayer(AutoencoderTinyConfig config) => 2 * config.DecoderBlocks.Count + config.DecoderBlocks.Sum();

    private static Tensor Edges(Tensor error, Tensor weights, long dim)
    {
        var length = error.shape[dim] - 1;
        var difference = error.narrow(dim, 1, length) - error.narrow(dim, 0, length);
        return (difference.abs() * weights.narrow(dim, 1, length) * weights.narrow(dim, 0, length)).mean();
    }
}
