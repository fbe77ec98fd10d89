using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Tests.Evaluation;

public sealed class SceneProbeTests
{
    [Theory]
    [InlineData("time")]
    [InlineData("ground")]
    [InlineData("far")]
    [InlineData("style")]
    public void Ask_BackdropDrawnLargerAndDarker_NamesIt(string group)
    {
        var answers = SceneQuestions.Backdrops(Scene(3), group);
        var probe = new SceneProbe(answers, SceneQuestions.Everywhere);

        Assert.All(answers, answer => Assert.Equal(answer.Name, probe.Ask(Shrunk(SceneRenderer.Render(answer.Scene)))));
    }

    [Fact]
    public void Ask_EveryThingInEveryColor_NamesTheKind()
    {
        var scene = Scene(5);
        var slot = new SceneSlot(3, 1);
        var things = SceneQuestions.Things(scene, slot);

        Assert.Equal(1 + 5 * 4 + 5, things.Count);
        foreach (var answers in (IReadOnlyList<ProbeAnswer>[])[things, SceneQuestions.Colors(scene, slot, ThingKind.House)])
        {
            var probe = new SceneProbe(answers, SceneQuestions.Everywhere);
            Assert.All(answers, answer => Assert.Equal(answer.Name, probe.Ask(Shrunk(SceneRenderer.Render(answer.Scene)))));
        }
    }

    [Fact]
    public void Ask_OtherCellsChanged_IsNotMoved()
    {
        var scene = Scene(7);
        var probe = new SceneProbe(SceneQuestions.Backdrops(scene, "ground"), CellMask.Box(10, 0, 4, 4));
        var picture = Shrunk(SceneRenderer.Render(scene));
        for (var row = 0; row < SceneProbe.Size / 2; row++)
            picture.AsSpan(row * SceneProbe.Size * 3, SceneProbe.Size * 3).Fill(255);

        Assert.Equal(Names.Of(scene.Facts.Ground), probe.Ask(picture));
    }

    [Fact]
    public void UnrelatedAndWith_EveryElement_LackItAndHaveIt()
    {
        Assert.Equal(4 + 4 + 4 + 3 + 13, SteeringElement.All.Count);
        foreach (var element in SteeringElement.All)
        {
            var (without, with) = (SteeringScene.Unrelated(new Random(1), element), Enumerable
                .Range(0, 20)
                .Select(i => SteeringScene.With(new Random(i), element))
                .OfType<SteeringScene>()
                .First());

            Assert.Equal(16, without.Cells.Cells.Count(true));
            Assert.Contains(without.Answers, answer => answer.Name == element.Name);
            Assert.DoesNotContain((byte)1, Labels(without, element));
            Assert.Equal(element.Name,
                new SceneProbe(with.Answers, with.Cells).Ask(SceneRenderer.Render(with.Captioned.Scene, SceneProbe.Size).Rgb));
        }

        static byte[] Labels(SteeringScene scene, SteeringElement element) =>
            SceneLabels.Of(SceneRenderer.Render(scene.Captioned.Scene, SceneProbe.Size)).AsSpan(element.Label * 256, 256).ToArray();
    }

    [Fact]
    public void Occupied_EveryThing_HasAnotherThingInItsCells()
    {
        foreach (var element in SteeringElement.All)
        {
            var scenes = Enumerable
                .Range(0, 20)
                .Select(i => SteeringScene.Occupied(new Random(i), element))
                .OfType<SteeringScene>()
                .ToArray();

            Assert.Equal(element.Kind is null, scenes.Length == 0);
            foreach (var scene in scenes.Take(2))
            {
                var drawn = scene.Captioned.Scene;
                var probe = new SceneProbe(scene.Answers, scene.Cells);
                var there = SceneLayout.Of(drawn.Facts, drawn.Noise).Single(placed => placed.Key == scene.Slot).Value.Kind;
                Assert.NotEqual(element.Kind, there);
                Assert.Equal(Names.Of(there), probe.Ask(SceneRenderer.Render(drawn, SceneProbe.Size).Rgb));
                Assert.Contains(scene.Answers, answer => answer.Name == element.Name);
            }
        }
    }

    private static Scene Scene(int seed) => CaptionedScene.Draw(new Random(seed), new SceneMix()).Scene;

    // Halved, and a little darker than drawn: the nearest answer must still be the right one.
    private static byte[] Shrunk(ScenePicture picture)
    {
        var small = new byte[SceneProbe.Size * SceneProbe.Size * 3];
        for (var i = 0; i < small.Length; i++)
        {
            var (row, column, color) = (i / 3 / SceneProbe.Size, i / 3 % SceneProbe.Size, i % 3);
            var at = (2 * row * picture.Size + 2 * column) * 3 + color;
            small[i] = (byte)((picture.Rgb[at] + picture.Rgb[at + 3] + picture.Rgb[at + picture.Size * 3]
                + picture.Rgb[at + picture.Size * 3 + 3]) / 4 * .95);
        }
        return small;
    }
}
