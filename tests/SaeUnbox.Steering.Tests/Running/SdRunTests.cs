using SaeUnbox.Testing;

namespace SaeUnbox.Steering.Tests;

/// <summary>Recipes on a small SD model, whose first step predicts twice and whose later ones use earlier predictions.</summary>
public sealed class SdRunTests : IDisposable
{
    private static readonly Site Objects = Site.Up(1, 1), Style = Site.Up(1, 2);

    private readonly TemporaryFolder _folder = new();
    private readonly LoadedModel _model;

    public SdRunTests()
    {
        TinySd.WriteFirst(_folder.At("tiny"));
        TinySd.WriteSaes(_folder.At("saes"));
        _model = LoadedModel.Load(new() { Folder = _folder.At("tiny"), SaeFolder = _folder.At("saes") });
    }

    private Recipe Plain => _model.Info.NewRecipe("a dog") with { Steps = 5, Seed = 4 };

    [Fact]
    public void Info_OfTheModel_HasItsSettingsAndNames()
    {
        Assert.Equal((50, 7.5, 128, 128), (_model.Info.Steps, _model.Info.Guidance, _model.Info.Width, _model.Info.Height));
        Assert.Equal([Objects, Style], _model.Info.Sites.Select(sae => sae.Site));
        Assert.Equal(["objects", "style"], _model.Info.Sites.Select(sae => sae.Nickname));
        Assert.Equal((4, 4), _model.Info.Sites[0].Grid(128, 128));
    }

    [Theory]
    [InlineData("add", 0, null)]
    [InlineData("add", 0, 1)]
    [InlineData("add", 3, null)]
    [InlineData("scale", 2, 4)]
    [InlineData("scale", 0, null)]
    public void Run_EditAfterThePlainRecipe_GivesTheSameBitsAsAlone(string name, int first, int? last)
    {
        Assert.True(EditMode.TryParse(name, out var mode));
        var edited = Plain with
        {
            Edits =
            [
                new FeatureEdit(Style, 7, 6) { Mode = mode, FirstStep = first, LastStep = last },
                new FeatureEdit(Objects, 3, 4) { FirstStep = first, LastStep = last },
            ],
        };
        var alone = Alone(edited);
        Assert.NotEqual(Alone(Plain), alone);
        using var runner = new RecipeRunner(_model);
        runner.Run(Plain);
        Assert.Equal(alone, Pixels(runner.Run(edited)));
        Assert.Equal(alone, Pixels(runner.Run(edited)));
        Assert.Equal(Alone(Plain), Pixels(runner.Run(Plain)));
    }

    [Fact]
    public void Run_ReadingWhileResumed_GivesTheMapsOfAFullRun()
    {
        var request = new RunRequest { Read = [Objects, Style], Picture = false };
        var edited = Plain with { Edits = [new FeatureEdit(Style, 7, 6)] };
        using var fresh = new RecipeRunner(_model);
        var expected = fresh.Run(edited, request).Maps;
        using var warm = new RecipeRunner(_model);
        warm.Run(Plain, request);
        var actual = warm.Run(edited, request).Maps;
        Assert.Equal(5 * 2, actual.All.Count);
        foreach (var map in expected.All)
        {
            Assert.Equal(map.Indices, actual.Find(map.Site, map.Step)!.Indices);
            Assert.Equal(map.Values, actual.Find(map.Site, map.Step)!.Values);
        }
    }

    [Fact]
    public void Run_Recorded_HoldsEachStepOnce()
    {
        using var runner = new RecipeRunner(_model);
        using var recorder = new RunRecorder([Objects]);
        runner.Run(Plain, new RunRequest { Recorder = recorder });
        Assert.Equal([5, 2, 40, 4, 4], recorder[$"{Objects}.output"].shape);
        for (var step = 0; step < 5; step++)
            Assert.Equal([1, 4, 16, 16], recorder[$"step.{step}.latents"].shape);
        TensorAssert.Same(recorder["latents"], recorder["step.4.latents"]);
    }

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    private byte[] Alone(Recipe recipe)
    {
        using var runner = new RecipeRunner(_model);
        return Pixels(runner.Run(recipe));
    }

    private static byte[] Pixels(RunOutcome outcome) => outcome.Picture!.Pixels.ToArray();
}
