using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

/// <summary>Whole recipes against the reference's own runs and interventions.</summary>
public sealed class RecipeRunnerGoldenTests(GoldenModel model) : IClassFixture<GoldenModel>
{
    public static TheoryData<string> Sites() => [.. Site.Named.Select(site => site.Code)];

    [Theory]
    [MemberData(nameof(GoldenModel.Runs), MemberType = typeof(GoldenModel))]
    public void Run_GoldenRecipe_GivesTheReferenceTensorsAndPicture(string run)
    {
        using var scope = NewDisposeScope();
        using var runner = new RecipeRunner(model.For(run));
        using var recorder = new RunRecorder([.. model.For(run).Saes.Keys]);
        var recipe = model.Recipe(run);
        var outcome = runner.Run(recipe, new RunRequest { Recorder = recorder });

        var file = $"runs/{run}.safetensors";
        TensorAssert.Close(GoldenTensors.Read(file, "noise"), recorder["noise"], 1e-5);
        var tolerance = Limit.Latents(recipe.Guidance > 1);
        TensorAssert.Close(GoldenTensors.Read(file, "latents"), recorder["latents"], tolerance);
        var steps = GoldenTensors.Read(file, "step_latents");
        for (var step = 0; step < recipe.Steps; step++)
            TensorAssert.Close(steps[step], recorder[$"step.{step}.latents"][0], tolerance);
        foreach (var site in model.For(run).Saes.Keys)
            foreach (var end in (string[])["input", "output"])
                TensorAssert.Close(GoldenTensors.Read(file, $"{site.ModulePath}/{end}").transpose(0, 1), recorder[$"{site}.{end}"],
                    tolerance);

        var expected = Picture.Decode(File.ReadAllBytes(Goldens.At("runs", $"{run}.png"))).ToRgb().Pixels;
        var differing = Differences(expected, outcome.Picture!.Pixels);
        Assert.True(differing <= 0.02 * expected.Length, $"{differing} of {expected.Length} values differ");
    }

    [Theory]
    [MemberData(nameof(GoldenEdits.TurboCases), MemberType = typeof(GoldenEdits))]
    public void Run_TurboEdit_GivesTheReferenceLatents(string name) =>
        AssertEdit(model.For("turbo1"), GoldenEdits.Turbo(model, name), "edits/turbo.safetensors", name,
            Limit.Latents(false).StoredAsHalf());

    [Theory]
    [MemberData(nameof(GoldenEdits.BaseCases), MemberType = typeof(GoldenEdits))]
    public void Run_BaseEdit_GivesTheReferenceLatents(string name) =>
        AssertEdit(model.For("base"), GoldenEdits.Base(model, name), "edits/base.safetensors", name, Limit.Latents(true));

    [Theory]
    [MemberData(nameof(Sites))]
    public void Run_Reading_GivesTheReferenceTopFeatures(string code)
    {
        var site = Site.Parse(code);
        using var scope = NewDisposeScope();
        var expected = GoldenTensors.Read("saes.safetensors", $"{site}/top10").data<long>().ToArray();
        using var runner = new RecipeRunner(model.For("turbo1"));
        var map = runner.Run(model.Recipe("turbo1"), new RunRequest { Read = [site], Picture = false }).Maps.Find(site)!;
        AssertTop(expected, map);

        var guided = GoldenTensors.Read("saes.safetensors", $"{site}/base_top10").data<long>().ToArray();
        using var baseRunner = new RecipeRunner(model.For("base"));
        var maps = baseRunner.Run(model.Recipe("base"), new RunRequest { Read = [site], Picture = false }).Maps;
        AssertTop(guided, maps.Find(site, Goldens.BaseStep)!);
    }

    // Which of the features that are active nowhere fill the rest is chance.
    private static void AssertTop(long[] expected, SiteActivations map)
    {
        var active = map.Top(expected.Length).TakeWhile(top => top.Mean > 0).Select(top => (long)top.Feature).ToArray();
        Assert.NotEmpty(active);
        Assert.Equal(expected.Take(active.Length), active);
    }

    private static void AssertEdit(LoadedModel loaded, Recipe recipe, string file, string name, Limit tolerance)
    {
        using var scope = NewDisposeScope();
        using var runner = new RecipeRunner(loaded);
        using var recorder = new RunRecorder([.. loaded.Saes.Keys]);
        runner.Run(recipe, new RunRequest { Recorder = recorder, Picture = false });
        TensorAssert.Close(GoldenTensors.Read(file, $"{name}/latents"), recorder["latents"], tolerance);
        foreach (var site in recipe.Edits.Select(edit => edit.Site).Concat(recipe.Interventions.Select(one => one.Site)).Distinct())
        {
            // Without guidance [B, C, h, w] of the one step, under the edit's and the site's name; else [B, steps, C, h, w].
            if (GoldenTensors.Has(file, $"{name}/{site}/block_output"))
                TensorAssert.Close(GoldenTensors.Read(file, $"{name}/{site}/block_output"), recorder[$"{site}.output"][0], Limit.Block);
            else if (GoldenTensors.Has(file, $"{name}/block_output"))
                TensorAssert.Close(GoldenTensors.Read(file, $"{name}/block_output").transpose(0, 1), recorder[$"{site}.output"], tolerance);
        }
    }

    private static int Differences(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var count = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            if (expected[i] == actual[i])
                continue;
            Assert.True(Math.Abs(expected[i] - actual[i]) <= 1, $"value {i}: expected {expected[i]}, got {actual[i]}");
            count++;
        }
        return count;
    }
}
