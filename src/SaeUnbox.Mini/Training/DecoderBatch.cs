using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>Crops of new scenes for the decoder. A cell has p pixels along a side.</summary>
/// <param name="Latents">[B, 4, c, c], with noise.</param>
/// <param name="Pixels">[B, 3, pc, pc], -1 to 1.</param>
/// <param name="Weights">[B, 1, pc, pc]: 0 near a cut edge, where the decoder lacks its surroundings, else 1.</param>
internal sealed record DecoderBatch(Tensor Latents, Tensor Pixels, Tensor Weights)
{
    // In cells.
    private const int Margin = 2;

    /// <param name="drawn">Gives the latents of a share of the pictures; null for none.</param>
    public static DecoderBatch Draw(Random random, MiniTrainingOptions options, LatentCode code, DrawnLatents? drawn, Device device)
    {
        var (batch, crop, pixelsPerCell) = (options.Decoder.Batch, options.Decoder.Crop, LatentCode.Patch * options.Reduction);
        var (cells, side) = (options.PictureSize / pixelsPerCell, crop * pixelsPerCell);
        var scenes = Enumerable.Range(0, batch).Select(_ =>
            drawn is not null && random.NextDouble() < options.Decoder.DrawnShare
                ? DecoderScene.DrawWithNoise(random, options)
                : new DecoderScene(SceneSampler.DrawScene(random, options.Scenes))).ToArray();
        var predicted = new Queue<float[]>(drawn?.Predict([.. scenes.Where(scene => scene.Noise is not null)]) ?? []);
        var latents = new float[batch * LatentCode.Channels * crop * crop];
        var pixels = new float[batch * 3 * side * side];
        var weights = new float[batch * side * side];
        for (var i = 0; i < batch; i++)
        {
            var picture = SceneRenderer.Render(scenes[i].Scene, options.PictureSize);
            var whole = scenes[i].Noise is null ? code.Encode(picture, options.Reduction) : predicted.Dequeue();
            var noise = scenes[i].Noise is null ? options.Decoder.LatentNoise : 0;
            var (top, left) = (Place(), Place());
            for (var c = 0; c < LatentCode.Channels; c++)
                for (var y = 0; y < crop; y++)
                    for (var x = 0; x < crop; x++)
                        latents[((i * LatentCode.Channels + c) * crop + y) * crop + x] =
                            whole[(c * cells + top + y) * cells + left + x] + (float)(noise * Gauss.Next(random));
            for (var y = 0; y < side; y++)
                for (var x = 0; x < side; x++)
                {
                    var (row, column) = (top * pixelsPerCell + y, left * pixelsPerCell + x);
                    for (var c = 0; c < 3; c++)
                        pixels[((i * 3 + c) * side + y) * side + x] = picture.Rgb[(row * picture.Size + column) * 3 + c] / 127.5f - 1;
                    weights[(i * side + y) * side + x] = Inside(y, top) && Inside(x, left) ? 1 : 0;
                }
        }
        return new(tensor(latents, device: device).reshape(batch, LatentCode.Channels, crop, crop),
            tensor(pixels, device: device).reshape(batch, 3, side, side), tensor(weights, device: device).reshape(batch, 1, side, side));

        // About a tenth of the crops lie at each border of the picture.
        int Place() => Math.Clamp(random.Next(-cells / 10, cells - crop + 1 + cells / 10), 0, cells - crop);

        bool Inside(int at, int start)
        {
            var cell = at / pixelsPerCell;
            return (cell >= Margin || start == 0) && (cell < crop - Margin || start == cells - crop);
        }
    }
}

/// <summary>A scene, and what a U-Net draws it from.</summary>
/// <param name="Noise">[4, 64, 64]; null if the picture is coded instead.</param>
internal sealed record DecoderScene(Scene Scene, string Caption = "", float[]? Noise = null)
{
    public static DecoderScene DrawWithNoise(Random random, MiniTrainingOptions options)
    {
        var side = options.CodedSize / LatentCode.Patch;
        var noise = new float[LatentCode.Channels * side * side];
        for (var i = 0; i < noise.Length; i++)
            noise[i] = (float)Gauss.Next(random);
        var facts = SceneSampler.Draw(random, options.Scenes);
        return new(new Scene(facts, NoisePatches.Of(noise)), CaptionGrammar.Compose(facts, random), noise);
    }
}

/// <summary>
/// Latents as a trained U-Net draws them. They lie beside the true ones, and a decoder that has seen them can mend some of that.
/// </summary>
internal sealed class DrawnLatents : IDisposable
{
    private readonly MiniNetwork _network;
    private readonly ClipTokenizer _tokenizer, _tokenizer2;

    /// <param name="folder">The model folder, with configurations and tokenizers.</param>
    /// <param name="start">The trained model.</param>
    public DrawnLatents(string folder, MiniFolder start, Device device)
    {
        _tokenizer = ClipTokenizer.Load(Path.Combine(folder, "tokenizer"));
        _tokenizer2 = ClipTokenizer.Load(Path.Combine(folder, "tokenizer_2"));
        _network = new MiniNetwork(folder, 0, device);
        NetworkStart.Read(_network, start);
    }

    /// <returns>For each scene [4, 64, 64].</returns>
    public IEnumerable<float[]> Predict(IReadOnlyList<DecoderScene> scenes)
    {
        if (scenes.Count == 0)
            return [];
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using var mixed = new MixedPrecision();
        var (hidden, pooled) = _network.Encode([.. scenes.Select(scene => _tokenizer.Tokenize(scene.Caption).Ids)],
            [.. scenes.Select(scene => _tokenizer2.Tokenize(scene.Caption).Ids)]);
        var side = _network.UNet.Config.SampleSize;
        var latents = _network.Predict(TrainingBatch.Pictures(scenes.Select(scene => scene.Noise!), side, _network.Device), hidden, pooled);
        return latents.to_type(ScalarType.Float32).cpu().contiguous().data<float>().ToArray().Chunk(LatentCode.Channels * side * side);
    }

    public void Dispose() => _network.Dispose();
}
