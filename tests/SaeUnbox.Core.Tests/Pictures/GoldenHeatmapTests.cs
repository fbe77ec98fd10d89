using SaeUnbox.Testing;

namespace SaeUnbox.Core.Tests;

public class GoldenHeatmapTests
{
    private const string Maps = "heatmap/maps.safetensors";

    [Fact]
    public void JetColours_EqualTheOriginalBytes()
    {
        var (expected, shape) = GoldenTensors.Values<byte>(Maps, "jet_uint8");

        Assert.Equal([JetColours.Size, 4], shape);
        for (var i = 0; i < JetColours.Size; i++)
            Assert.Equal((expected[i * 4], expected[(i * 4) + 1], expected[(i * 4) + 2]), JetColours.At(i));
    }

    [Fact]
    public void Draw_EveryGoldenMap_GivesTheGoldenPixels()
    {
        var image = Picture.Decode(File.ReadAllBytes(Goldens.At("heatmap", "image.png")));
        var drawn = 0;
        foreach (var name in GoldenTensors.Names(Maps).Where(name => name.StartsWith("map/", StringComparison.Ordinal)))
        {
            var file = Goldens.At("heatmap", $"{name["map/".Length..]}.png");
            if (!File.Exists(file))
                continue;
            var (map, shape) = GoldenTensors.Values<float>(Maps, name);
            var expected = Picture.Decode(File.ReadAllBytes(file));

            var actual = HeatmapOverlay.Draw(image, map, shape[0], shape[1]);

            Assert.Equal((expected.Width, expected.Height, expected.Channels), (actual.Width, actual.Height, actual.Channels));
            Assert.True(expected.Pixels.SequenceEqual(actual.Pixels), $"{name}: {Differences(expected, actual)} bytes differ");
            drawn++;
        }

        Assert.True(drawn >= 4, $"only {drawn} maps have a picture");
    }

    private static int Differences(Picture expected, Picture actual)
    {
        var count = 0;
        for (var i = 0; i < expected.Pixels.Length; i++)
            count += expected.Pixels[i] == actual.Pixels[i] ? 0 : 1;
        return count;
    }
}
