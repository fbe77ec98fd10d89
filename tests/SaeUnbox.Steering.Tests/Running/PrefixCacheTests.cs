using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

/// <summary>A run that starts from what earlier runs left must give the bits of a whole run.</summary>
public sealed class PrefixCacheTests(GoldenModel model) : IClassFixture<GoldenModel>
{
    public static TheoryData<string> TurboCases() => GoldenEdits.TurboCases();

    public static TheoryData<string> BaseCases() => GoldenEdits.BaseCases();

    [Theory]
    [MemberData(nameof(TurboCases))]
    public void Run_AfterThePlainRecipe_GivesTheSameBitsAsAlone(string name) =>
        AssertSame(model.For("turbo1"), GoldenEdits.Turbo(model, name));

    [Theory]
    [MemberData(nameof(BaseCases))]
    public void Run_GuidedAfterThePlainRecipe_GivesTheSameBitsAsAlone(string name) =>
        AssertSame(model.For("base"), GoldenEdits.Base(model, name));

    [Fact]
    public void Run_EditsInAnyOrder_NeverDisturbEachOther()
    {
        var loaded = model.For("turbo1");
        Recipe[] recipes = [.. GoldenEdits.TurboCases().Select(name => GoldenEdits.Turbo(model, name.Data))];
        var alone = recipes.Select(recipe => Alone(loaded, recipe)).ToArray();
        using var runner = new RecipeRunner(loaded, prefixes: 1);
        foreach (var index in Enumerable.Range(0, recipes.Length).Concat(Enumerable.Range(0, recipes.Length).Reverse()))
            Assert.Equal(alone[index], Latents(runner, recipes[index]));
    }

    [Fact]
    public void Run_ReadingWhileResumed_GivesTheMapsOfAFullRun()
    {
        var loaded = model.For("base");
        var recipe = GoldenEdits.Base(model, "add_steps_1_3");
        IReadOnlyList<Site> all = [.. loaded.Saes.Keys];
        var request = new RunRequest { Read = all, Picture = false };
        using var fresh = new RecipeRunner(loaded);
        var expected = fresh.Run(recipe, request).Maps;
        using var warm = new RecipeRunner(loaded);
        warm.Run(recipe with { Edits = [] }, request);
        var actual = warm.Run(recipe, request).Maps;
        Assert.Equal(recipe.Steps * all.Count, actual.All.Count);
        foreach (var map in expected.All)
        {
            var other = actual.Find(map.Site, map.Step)!;
            Assert.Equal(map.Indices, other.Indices);
            Assert.Equal(map.Values, other.Values);
        }
    }

    [Fact]
    public void Run_Cancelled_LeavesTheRunnerUsable()
    {
        var loaded = model.For("turbo4");
        var recipe = model.Recipe("turbo4");
        using var runner = new RecipeRunner(loaded);
        using var cancellation = new CancellationTokenSource();
        var request = new RunRequest { Progress = (done, _) => cancellation.Cancel() };
        Assert.Throws<OperationCanceledException>(() => runner.Run(recipe, request, cancellation.Token));
        Assert.Equal(Alone(loaded, recipe), Latents(runner, recipe));
    }

    private static void AssertSame(LoadedModel loaded, Recipe recipe)
    {
        using var runner = new RecipeRunner(loaded);
        Latents(runner, recipe with { Edits = [], Interventions = [] });
        Assert.Equal(Alone(loaded, recipe), Latents(runner, recipe));
        Assert.Equal(Alone(loaded, recipe), Latents(runner, recipe));
    }

    private static float[] Alone(LoadedModel loaded, Recipe recipe)
    {
        using var runner = new RecipeRunner(loaded);
        return Latents(runner, recipe);
    }

    private static float[] Latents(RecipeRunner runner, Recipe recipe)
    {
        using var scope = NewDisposeScope();
        using var recorder = new RunRecorder([]);
        runner.Run(recipe, new RunRequest { Recorder = recorder, Picture = false });
        return recorder["latents"].data<float>().ToArray();
    }
}
