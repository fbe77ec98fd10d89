using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Tests.Evaluation;

public sealed class SceneJudgeTests
{
    private static readonly SceneJudge Judge = new(3);

    [Fact]
    public void Picture_OfANumber_IsKnownCellByCell()
    {
        var picture = Judge.Picture(5);

        Assert.Equal(Judge.Elements.Count, picture.Regions.Count);
        var times = SteeringElement.All.Index().Where(one => one.Item.Group == "time").Select(one => picture.Regions[one.Index]);
        Assert.Equal(1, times.Count(region => region.IsNowhereEmpty));
        Assert.Equal(3, times.Count(region => region.IsBlank));
        Assert.Equal(picture.Caption, new SceneJudge(3).Picture(5).Caption);
        Assert.Equal(picture.Regions, new SceneJudge(3).Picture(5).Regions);
        Assert.NotEqual(picture.Caption, Judge.Picture(6).Caption);
        Assert.NotEqual(picture.Caption, new SceneJudge(4).Picture(5).Caption);
    }

    [Theory]
    [InlineData("night")]
    [InlineData("sea")]
    [InlineData("tree")]
    public void Trial_OfAnElement_LacksItOrHasIt(string element)
    {
        foreach (var task in (SteeringTask[])[SteeringTask.Paint, SteeringTask.Remove])
        {
            var trial = Enumerable.Range(0, 20).Select(number => Judge.Trial(element, task, number)).OfType<SteeringTrial>().First();

            Assert.False(trial.Cells.IsBlank);
            Assert.NotNull(trial.OtherPrompt);
            Assert.NotEqual(trial.Caption.Text, trial.OtherPrompt);
        }
    }

    [Fact]
    public void Read_TheSceneItself_IsClearAndKeepsEverything()
    {
        foreach (var element in SteeringElement.All)
        {
            var (scene, probe) = Painted(element, 1);
            var before = probe.Read(Drawn(scene.Captioned.Scene));

            Assert.False(before.HasElement, element.Name);
            Assert.False(before.IsUnclear, element.Name);
            Assert.Equal(before.Others, probe.Read(Drawn(scene.Captioned.Scene)).Others);
            var wanted = Drawn(scene.Answers.First(answer => answer.Name == element.Name).Scene);
            var after = probe.Read(Inside(scene.Cells, wanted, Drawn(scene.Captioned.Scene)));
            Assert.True(after.HasElement, element.Name);
            Assert.False(after.IsUnclear, element.Name);
            Assert.Equal(before.Others, after.Others);
        }
    }

    [Fact]
    public void Read_AnotherTimeOutside_ChangesOneAnswer()
    {
        var (scene, probe) = Painted(SteeringElement.All.Single(one => one.Name == "boat"), 2);
        var drawn = scene.Captioned.Scene;
        var other =
            Drawn(drawn with { Facts = drawn.Facts with { Time = drawn.Facts.Time == SceneTime.Day ? SceneTime.Night : SceneTime.Day } });

        var (before, after) = (probe.Read(Drawn(drawn)), probe.Read(other));

        Assert.NotEqual(before.Others[0], after.Others[0]);
        Assert.False(after.IsUnclear);
    }

    [Fact]
    public void Read_AThingGoneElsewhere_IsNotKept()
    {
        var element = SteeringElement.All.Single(one => one.Name == "night");
        var (scene, probe) = Enumerable.Range(0, 40).Select(number => Painted(element, number))
            .First(one => one.Probe.Read(Drawn(one.Scene.Captioned.Scene)).Others.Count > 3);
        var drawn = scene.Captioned.Scene;

        var before = probe.Read(Drawn(drawn)).Others;
        var after = probe.Read(Drawn(drawn with { Emptied = [.. SceneSlot.All] })).Others;

        Assert.Equal(before.Take(3), after.Take(3));
        Assert.Contains("there", before.Skip(3));
        Assert.All(after.Skip(3), answer => Assert.Equal(SceneQuestions.Nothing, answer));
    }

    [Fact]
    public void Read_NoiseInOneBlock_IsUnclear()
    {
        var (scene, probe) = Painted(SteeringElement.All.Single(one => one.Name == "snow"), 3);
        var pixels = Drawn(scene.Captioned.Scene).Pixels.ToArray();
        var random = new Random(1);
        for (var row = 0; row < SceneProbe.Size / 4; row++)
            random.NextBytes(pixels.AsSpan(row * SceneProbe.Size * 3, SceneProbe.Size / 4 * 3));

        Assert.True(probe.Read(new(SceneProbe.Size, SceneProbe.Size, 3, pixels)).IsUnclear);
    }

    private static (SteeringScene Scene, IPictureProbe Probe) Painted(SteeringElement element, int seed)
    {
        var scene = SteeringScene.Unrelated(new Random(seed), element);
        return (scene, new SceneTrialProbe(scene, element, element.PutInto(scene.Captioned.Scene.Facts)));
    }

    private static Picture Drawn(Scene scene) =>
        new(SceneProbe.Size, SceneProbe.Size, 3, SceneRenderer.Render(scene, SceneProbe.Size).Rgb);

    // One picture inside the cells, and another outside.
    private static Picture Inside(CellMask cells, Picture inside, Picture outside)
    {
        var pixels = outside.Pixels.ToArray();
        const int side = SceneProbe.Size / CellMask.Side;
        for (var i = 0; i < pixels.Length; i++)
            if (cells[i / 3 / SceneProbe.Size / side, i / 3 % SceneProbe.Size / side])
                pixels[i] = inside.Pixels[i];
        return new(SceneProbe.Size, SceneProbe.Size, 3, pixels);
    }
}
