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

    public DecoderTraining(MiniTrainingOptions options, LatentCode code, AutoencoderTinyConfig config, Device device)
    {
        (_options, _code) = (options, code);
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

    /// <summary>All tensors of a checkpoint: weights and moments.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State => _weights.Tensors.Concat(_optimiser.State);

    /// <returns>The mean squared error of pixels from -1 to 1.</returns>
    public double Step(int step)
    {
        using var scope = NewDisposeScope();
        var decoder = _options.Decoder;
        var batch = DecoderBatch.Draw(RandomAt.Place(_options.Seed, Purpose, step), _options, _code, _weights.Device);
        foreach (var (_, tensor) in _trained)
            tensor.requires_grad_();
        using var mixed = new MixedPrecision(ScalarType.BFloat16);
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
        var sheet = new ContactSheet(_options.PictureSize / 2);
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
        var side = picture.Size / LatentCode.Patch;
        return Model.Decode(tensor(_code.Encode(picture), device: _weights.Device).reshape(1, LatentCode.Channels, side, side));
    }

    private ScenePicture HeldOutPicture(int number) =>
        SceneRenderer.Render(SceneStream.Draw(RandomAt.Place(_options.Seed, HeldOutPurpose, number), _options.Scenes),
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
        foreach (var (name, tensor) in LatentEncoderWeights.Of(_code, _options.Latents.ScalingFactor))
            _weights.Tensors["encoder.layers." + name].copy_(tensor);
    }

    private static Tensor Edges(Tensor error, Tensor weights, long dim)
    {
        var length = error.shape[dim] - 1;
        var difference = error.narrow(dim, 1, length) - error.narrow(dim, 0, length);
        return (difference.abs() * weights.narrow(dim, 1, length) * weights.narrow(dim, 0, length)).mean();
    }
}

/// <summary>Crops of new scenes for the decoder.</summary>
/// <param name="Latents">[B, 4, c, c], with noise.</param>
/// <param name="Pixels">[B, 3, 4c, 4c], -1 to 1.</param>
/// <param name="Weights">[B, 1, 4c, 4c]: 0 near a cut edge, where the decoder lacks its surroundings, else 1.</param>
internal sealed record DecoderBatch(Tensor Latents, Tensor Pixels, Tensor Weights)
{
    private const int Margin = 8;

    public static DecoderBatch Draw(Random random, MiniTrainingOptions options, LatentCode code, Device device)
    {
        var (batch, crop) = (options.Decoder.Batch, options.Decoder.Crop);
        var (cells, side) = (options.PictureSize / LatentCode.Patch, crop * LatentCode.Patch);
        var latents = new float[batch * LatentCode.Channels * crop * crop];
        var pixels = new float[batch * 3 * side * side];
        var weights = new float[batch * side * side];
        for (var i = 0; i < batch; i++)
        {
            var picture = SceneRenderer.Render(SceneStream.Draw(random, options.Scenes), options.PictureSize);
            var whole = code.Encode(picture);
            var (top, left) = (Place(), Place());
            for (var c = 0; c < LatentCode.Channels; c++)
                for (var y = 0; y < crop; y++)
                    for (var x = 0; x < crop; x++)
                        latents[((i * LatentCode.Channels + c) * crop + y) * crop + x] =
                            whole[(c * cells + top + y) * cells + left + x] + (float)(options.Decoder.LatentNoise * Gauss.Next(random));
            for (var y = 0; y < side; y++)
                for (var x = 0; x < side; x++)
                {
                    var (row, column) = (top * LatentCode.Patch + y, left * LatentCode.Patch + x);
                    for (var c = 0; c < 3; c++)
                        pixels[((i * 3 + c) * side + y) * side + x] = picture.Rgb[(row * picture.Size + column) * 3 + c] / 127.5f - 1;
                    weights[(i * side + y) * side + x] = Inside(y, top) && Inside(x, left) ? 1 : 0;
                }
        }
        return new(tensor(latents, device: device).reshape(batch, LatentCode.Channels, crop, crop),
            tensor(pixels, device: device).reshape(batch, 3, side, side), tensor(weights, device: device).reshape(batch, 1, side, side));

        // About a tenth of the crops lie at each border of the picture.
        int Place() => Math.Clamp(random.Next(-cells / 10, cells - crop + 1 + cells / 10), 0, cells - crop);

        bool Inside(int at, int start) => (at >= Margin || start == 0) && (at < side - Margin || start == cells - crop);
    }
}
