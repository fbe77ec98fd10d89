using System.Globalization;
using SaeUnbox.Testing;

namespace SaeUnbox.Steering.Tests;

/// <summary>
/// Painting while garbage is collected all the time. TorchSharp keeps nothing alive during a native call; an object that the code does not
/// keep either is freed there sooner or later, and the picture fails or differs.
/// </summary>
// Alone: constant collections could free a tensor that another test holds by nothing but a local variable.
[CollectionDefinition(nameof(LifetimeSoakTests), DisableParallelization = true)]
[Collection(nameof(LifetimeSoakTests))]
public sealed class LifetimeSoakTests(GoldenModel model) : IClassFixture<GoldenModel>
{
    private static int Pictures =>
        Environment.GetEnvironmentVariable("SAEUNBOX_SOAK_PICTURES") is { Length: > 0 } text
            ? int.Parse(text, CultureInfo.InvariantCulture)
            : 300;

    [Fact]
    public void Run_GarbageCollectedMeanwhile_GivesTheSamePictures()
    {
        var loaded = model.For("turbo1");
        var recipes = Recipes().ToArray();
        using var runner = new RecipeRunner(loaded, prefixes: 1);
        var expected = recipes.Select(recipe => Pixels(runner, recipe)).ToArray();
        using var beside = new CollectionsBeside();
        for (var made = 0; made < Pictures || beside.Count == 0; made++)
            Assert.Equal(expected[made % recipes.Length], Pixels(runner, recipes[made % recipes.Length]));
    }

    [Fact]
    public void Run_EveryKindOfEdit_DisposesEveryTensor()
    {
        var recipes = GoldenEdits.TurboCases().Select(name => GoldenEdits.Turbo(model, name.Data)).ToList();
        var before = FinalizedTensors.Count();
        using (var loaded = LoadedModel.Load(GoldenModel.Options("turbo1")))
        using (var runner = new RecipeRunner(loaded))
            recipes.ForEach(recipe => Pixels(runner, recipe));

        Assert.Equal(before, FinalizedTensors.Count());
    }

    // Whole runs and edits at every site: another prompt now and then, so that the prefix is made anew.
    private IEnumerable<Recipe> Recipes()
    {
        var plain = model.Recipe("turbo1") with { Width = 128, Height = 128 };
        foreach (var prompt in (string[])["a dog", "a house by the sea"])
        {
            yield return plain with { Prompt = prompt };
            foreach (var site in model.For("turbo1").Saes.Keys)
            {
                yield return plain with { Prompt = prompt, Edits = [new FeatureEdit(site, 3, 5)] };
                yield return plain with
                {
                    Prompt = prompt,
                    Edits = [new FeatureEdit(site, 5, -1) { Mode = EditMode.Scale }, new FeatureEdit(Site.Style, 7, 2)]
                };
            }
        }
    }

    private static byte[] Pixels(RecipeRunner runner, Recipe recipe) =>
        runner.Run(recipe, new RunRequest { Read = recipe.Edits.Count == 1 ? [recipe.Edits[0].Site] : [] }).Picture!.Pixels.ToArray();
}
