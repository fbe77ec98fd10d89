using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Tests.Scenes;

public sealed class SceneRendererTests
{
    [Fact]
    public void Render_SameSceneTwice_SamePixels()
    {
        for (var seed = 0; seed < 6; seed++)
        {
            var (first, second) = (SceneRenderer.Render(Some.Scene(seed)), SceneRenderer.Render(Some.Scene(seed)));

            Assert.Equal(first.Rgb, second.Rgb);
            Assert.Equal(first.Things, second.Things);
        }
    }

    [Fact]
    public void Render_TwiceTheSize_ShowsTheSamePicture()
    {
        var scene = Some.Scene(3) with { Facts = new SceneFacts { Ground = SceneGround.Sea, Far = SceneFar.Mountains } };
        var (small, large) = (SceneRenderer.Render(scene, 128), SceneRenderer.Render(scene, 256));

        double difference = 0;
        for (var row = 0; row < 128; row++)
            for (var column = 0; column < 128 * 3; column++)
            {
                int At(int y, int x) => large.Rgb[((2 * row + y) * 256 + 2 * (column / 3) + x) * 3 + column % 3];
                difference += Math.Abs(small.Rgb[row * 128 * 3 + column] - (At(0, 0) + At(0, 1) + At(1, 0) + At(1, 1)) / 4.0);
            }

        Assert.InRange(difference / small.Rgb.Length, 0, 1.5);
    }

    [Fact]
    public void Render_AnyFactChanged_ChangesThePicture()
    {
        var plain = new SceneFacts { SkyThings = [], Things = [new(ThingKind.House, ThingColor.Red)] };
        SceneFacts[] others =
        [
            .. Enum.GetValues<SceneTime>().Skip(1).Select(time => plain with { Time = time }),
            .. Enum.GetValues<SceneGround>().Skip(1).Select(ground => plain with { Ground = ground }),
            .. Enum.GetValues<SceneFar>().Skip(1).Select(far => plain with { Far = far }),
            .. Enum.GetValues<SceneStyle>().Skip(1).Select(style => plain with { Style = style }),
            .. ThingKinds.OfGround.Skip(1).Select(kind => plain with { Things = [new(kind)] }),
            .. Enum.GetValues<ThingColor>().Skip(1).Select(color => plain with { Things = [new(ThingKind.House, color)] }),
        ];

        var pictures = others.Prepend(plain).Select(facts => Convert.ToHexString(Render(facts).Rgb)).ToArray();

        Assert.Equal(pictures.Length, pictures.Distinct().Count());
    }

    [Theory]
    [InlineData(ThingKind.House), InlineData(ThingKind.Pine), InlineData(ThingKind.Tree), InlineData(ThingKind.Palm)]
    [InlineData(ThingKind.Flower)]
    [InlineData(ThingKind.Mushroom), InlineData(ThingKind.Boat), InlineData(ThingKind.Snowman), InlineData(ThingKind.Cat)]
    [InlineData(ThingKind.Cactus), InlineData(ThingKind.Cloud), InlineData(ThingKind.Balloon), InlineData(ThingKind.Bird)]
    public void Render_ThingFittedToABox_FillsTheBoxAndStaysInside(ThingKind kind)
    {
        const int size = 256, left = 80, top = 96, right = 176, bottom = 192;
        var thing = ThingBounds.Fit(kind, ThingColor.Red, left / 256f, top / 256f, right / 256f, bottom / 256f);
        var facts = new SceneFacts { SkyThings = [], Things = [] };
        var picture = SceneRenderer.Render(new Scene(facts, Some.Noise(1)) { Added = [thing] }, size);

        var shown = Enumerable.Range(0, size * size).Where(i => picture.ThingAt(i / size, i % size) == 0).ToArray();
        var (height, width) = (shown.Max(i => i / size) - shown.Min(i => i / size), shown.Max(i => i % size) - shown.Min(i => i % size));

        Assert.All(shown, i => Assert.True(i % size is >= left - 2 and < right + 2 && i / size is >= top - 2 and < bottom + 2));
        Assert.True(Math.Max(height, width) >= (right - left) * .92, $"{kind} is {width}x{height} in a box of {right - left}.");
    }

    [Fact]
    public void Render_PictureTooSmall_Throws() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => SceneRenderer.Render(Some.Scene(0), 8));

    private static ScenePicture Render(SceneFacts facts) => SceneRenderer.Render(new Scene(facts, Some.Noise(5)), 64);
}
