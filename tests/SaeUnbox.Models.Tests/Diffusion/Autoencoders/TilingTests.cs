using SaeUnbox.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class TilingTests
{
    private static readonly Tiling AllTiled = new(0);

    [Theory]
    [InlineData(8, 20, 13)]
    [InlineData(8, 9, 30)]
    [InlineData(5, 11, 7)]
    public void Decode_TilesOfADecoderThatSeesOneCell_EqualTheWholeDecode(int tile, int height, int width)
    {
        using var scope = NewDisposeScope();
        var latents = randn([2, 3, height, width]);
        var tiles = 0;
        var tiled = AllTiled.Decode(latents, tile, 4, t =>
        {
            tiles++;
            return Enlarge(t);
        });
        TensorAssert.Close(Enlarge(latents), tiled, 1e-6);
        Assert.True(tiles > 1);
    }

    [Fact]
    public void Decode_AtTheSeam_FadesFromTileToTile()
    {
        using var scope = NewDisposeScope();
        var count = 0;
        var tiled = AllTiled.Decode(zeros([1, 3, 4, 14]), 8, 1, t => Arithmetic.Full(t.shape, (float)count++, torch.float32));

        // Tiles of 8 that overlap by 2: the second begins at 6 and fades in over 2 columns; the third begins at 12.
        var row = Enumerable.Range(0, 14).Select(x => tiled[0, 0, 0, x].item<float>());
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0.5f, 1, 1, 1, 1, 1, 1.5f], row);
    }

    [Fact]
    public void Decode_KLInTiles_EqualsItsTilesAtTheEdges()
    {
        const int tile = 16;
        var config = AutoencoderKLConfig.From(JsonConfig.Load(Goldens.At("model", "vae", "config.json")));
        config = config with { SampleSize = tile << (config.BlockOutChannels.Count - 1) };
        RequireTiled(tile, Goldens.At("model", "vae"), weights => new AutoencoderKL(weights, config) { Tiling = AllTiled });
    }

    [Fact]
    public void Decode_TinyInTiles_EqualsItsTilesAtTheEdges()
    {
        var config = AutoencoderTinyConfig.From(JsonConfig.Load(Goldens.At("vae_tiny", "config.json")));
        RequireTiled(64, Goldens.At("vae_tiny"), weights => new AutoencoderTiny(weights, config) { Tiling = AllTiled });
    }

    /// <summary>
    /// Two tiles that overlap by a quarter: what only one of them sees is as it decodes it; what is small enough is decoded whole.
    /// </summary>
    private static void RequireTiled(int tile, string folder, Func<Weights, IAutoencoder> build)
    {
        const int beyond = 8;
        using var scope = NewDisposeScope();
        using var checkpoint = Checkpoint.OpenFolder(folder);
        var (autoencoder, weights) = Precision.For(ScalarType.Float32, CPU).Load(checkpoint, build);
        using var _ = weights;
        var (cell, overlap, stride) = (autoencoder.PixelsPerCell, tile / 4, tile - (tile / 4));
        manual_seed(3);
        var latents = randn([1, autoencoder.LatentChannels, 4, tile + beyond]);

        var image = autoencoder.Decode(latents);
        Assert.Equal([1L, 3, 4 * cell, (tile + beyond) * cell], image.shape);
        var first = autoencoder.Decode(latents.narrow(3, 0, tile));
        var last = autoencoder.Decode(latents.narrow(3, stride, tile + beyond - stride));
        TensorAssert.Close(first.narrow(3, 0, stride * cell), image.narrow(3, 0, stride * cell), 1e-5);
        TensorAssert.Close(last.narrow(3, overlap * cell, beyond * cell), image.narrow(3, tile * cell, beyond * cell), 1e-5);
        var (between, left, right) =
            (image.narrow(3, stride * cell, overlap * cell), first.narrow(3, stride * cell, overlap * cell),
                last.narrow(3, 0, overlap * cell));
        Assert.True(between.ge(minimum(left, right).Minus(1e-5f)).all().item<bool>()
            && between.le(maximum(left, right).Plus(1e-5f)).all().item<bool>());
    }

    [Fact]
    public void Decode_UpToTheLimit_IsNotTiled()
    {
        using var scope = NewDisposeScope();
        var calls = 0;
        new Tiling(6 * 6).Decode(zeros([1, 3, 6, 6]), 2, 1, t =>
        {
            calls++;
            return t.clone();
        });
        Assert.Equal(1, calls);
    }

    private static Tensor Enlarge(Tensor cells) => cells.repeat_interleave(4, 2).repeat_interleave(4, 3);
}
