using SaeUnbox.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Diffusion.Tests;

public sealed class TilingTests
{
    [Theory]
    [InlineData(8, 20, 13)]
    [InlineData(8, 9, 30)]
    [InlineData(5, 11, 7)]
    public void Decode_OfADecoderThatSeesOneCell_IsTheWholeDecode(int tile, int height, int width)
    {
        using var scope = NewDisposeScope();
        var latents = randn([2, 3, height, width]);
        var tiles = 0;
        var tiled = Tiling.Always.Decode(latents, tile, 4, t =>
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
        var tiled = Tiling.Always.Decode(zeros([1, 3, 4, 14]), 8, 1, t => full(t.shape, (float)count++));

        // Tiles of 8 that overlap by 2: the second begins at 6 and fades in over 2 columns; the third begins at 12.
        var row = Enumerable.Range(0, 14).Select(x => tiled[0, 0, 0, x].item<float>());
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0.5f, 1, 1, 1, 1, 1, 1.5f], row);
    }

    [Fact]
    public void Decode_UpToTheLimit_IsWhole()
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
