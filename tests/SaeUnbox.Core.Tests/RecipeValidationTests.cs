namespace SaeUnbox.Core.Tests;

public class RecipeValidationTests
{
    private static readonly Recipe Valid = new() { Model = "mini", Prompt = "a dog", Steps = 4 };

    [Fact]
    public void Validate_ValidRecipe_FindsNothing()
    {
        Assert.Empty(Valid.Validate());
        Assert.Same(Valid, Valid.Check().Recipe);
        Samples.ForAll(Samples.Recipes, recipe => recipe.Validate().Count == 0);
    }

    public static TheoryData<Recipe, string> Invalid => new()
    {
        { Valid with { Model = "" }, "model" },
        { Valid with { Model = ".." }, "model" },
        { Valid with { Model = ".hidden" }, "model" },
        { Valid with { Model = "a/b" }, "model" },
        { Valid with { Model = "a\\b" }, "model" },
        { Valid with { Model = "C:" }, "model" },
        { Valid with { Model = "a\0b" }, "model" },
        { Valid with { Model = "a\u202Eb" }, "model" },
        { Valid with { Model = "a " }, "model" },
        { Valid with { Model = new string('a', 101) }, "model" },
        { Valid with { Saes = "../saes" }, "saes" },
        { Valid with { Loras = [Lora(), Lora(name: "../style")] }, "loras[1].name" },
        { Valid with { Loras = [Lora(scale: double.NaN)] }, "loras[0].scale" },
        { Valid with { Loras = [Lora(fingerprint: "0123456789ABCDEF")] }, "loras[0].fingerprint" },
        { Valid with { Loras = [Lora(fingerprint: "0123")] }, "loras[0].fingerprint" },
        { Valid with { Loras = Enumerable.Repeat(Lora(), 17).ToValueList() }, "loras[16]" },
        { Valid with { Prompt = new string('a', 100_000) }, "prompt" },
        { Valid with { Prompt = "\ud83d" }, "prompt" },
        { Valid with { Prompt = "\ude00\ud83d" }, "prompt" },
        { Valid with { NegativePrompt = new string('a', 100_000) }, "negativePrompt" },
        { Valid with { Seed = -1 }, "seed" },
        { Valid with { Steps = 0 }, "steps" },
        { Valid with { Steps = 1001 }, "steps" },
        { Valid with { Guidance = double.NaN }, "guidance" },
        { Valid with { Guidance = -1 }, "guidance" },
        { Valid with { Guidance = double.PositiveInfinity }, "guidance" },
        { Valid with { Width = 0 }, "width" },
        { Valid with { Width = 516 }, "width" },
        { Valid with { Height = 4104 }, "height" },
        { Valid with { Height = -8 }, "height" },
        { Valid with { Dtype = (Dtype)9 }, "dtype" },
        { Valid with { Vae = (Vae)9 }, "vae" },
        { Valid with { Edits = [Edit(strength: double.NaN)] }, "edits[0].strength" },
        { Valid with { Edits = [Edit(), Edit(strength: 40.001)] }, "edits[1].strength" },
        { Valid with { Edits = [Edit() with { Feature = -1 }] }, "edits[0].feature" },
        { Valid with { Edits = [Edit() with { Also = [2, -1] }] }, "edits[0].also[1]" },
        { Valid with { Edits = [Edit() with { Also = [2, 1] }] }, "edits[0].also" },
        { Valid with { Edits = [Edit() with { Also = Numbers(2, 2048) }, Edit() with { Also = Numbers(2, 2047) }] }, "edits[1].also" },
        { Valid with { Edits = [Edit() with { Weights = [1, 1] }] }, "edits[0].weights" },
        { Valid with { Edits = [Edit() with { Also = [2], Weights = [1, -1.001] }] }, "edits[0].weights[1]" },
        { Valid with { Edits = [Edit() with { Weights = [double.NaN] }] }, "edits[0].weights[0]" },
        { Valid with { Edits = [Edit().In(EditMode.ReplaceMean) with { Weights = [1] }] }, "edits[0].weights" },
        { Valid with { Edits = [Edit().In(EditMode.ReplaceMean) with { Threshold = double.NaN }] }, "edits[0].threshold" },
        { Valid with { Edits = [Edit().In(EditMode.ReplaceMean) with { Grow = 65 }] }, "edits[0].grow" },
        { Valid with { Edits = [Edit() with { FirstStep = -1 }] }, "edits[0].firstStep" },
        { Valid with { Edits = [Edit() with { FirstStep = 4 }] }, "edits[0].firstStep" },
        { Valid with { Edits = [Edit() with { FirstStep = 2, LastStep = 2 }] }, "edits[0].lastStep" },
        { Valid with { Edits = [Edit() with { LastStep = 5 }] }, "edits[0].lastStep" },
        { Valid with { Edits = Enumerable.Repeat(Edit(), 65).ToValueList() }, "edits[64]" },
        { Valid with { Edits = Enumerable.Repeat(Edit() with { Mask = Full(256) }, 5).ToValueList() }, "edits[4].mask" },
        { Valid with
        {
            Interventions = [new SiteIntervention.Ablate(Site.Style), new SiteIntervention.Reconstruct(Site.Style)]
        }, "interventions[1].site" },
        { Valid with { Interventions = [new SiteIntervention.Icon(Site.Style, -1)] }, "interventions[0].feature" },
        { Valid with { Interventions = [new SiteIntervention.Ablate(Site.Text(2))] }, "interventions[0].site" },
        { Valid with { Edits = [Edit() with { Site = Site.Text(2), FirstStep = 1 }] }, "edits[0].firstStep" },
        { Valid with { Edits = [Edit() with { Site = Site.Text(2), LastStep = 4 }] }, "edits[0].lastStep" },
    };

    [Theory]
    [MemberData(nameof(Invalid), DisableDiscoveryEnumeration = true)]
    public void Validate_OneFieldWrong_NamesThatField(Recipe recipe, string field)
    {
        Assert.Equal(field, Assert.Single(recipe.Validate()).Field);
        Assert.Contains(field, Assert.Throws<RecipeException>(recipe.Check).Message);
    }

    [Fact]
    public void ToJson_LargestValidRecipe_FitsTheBounds()
    {
        var random = new Random(1);
        var noise = BrushMask.FromCells(256, 256, [.. Enumerable.Range(0, 256 * 256).Select(_ => random.NextSingle())]);
        var recipe = Valid with
        {
            Prompt = new string('\u0001', RecipeLimits.MaxPromptLength),
            NegativePrompt = new string('\u0001', RecipeLimits.MaxPromptLength),
            Edits = Enumerable.Repeat(Edit() with { Mask = noise, Also = Numbers(int.MaxValue - 2000, 1023) }, 4).ToValueList(),
        };

        Assert.Equal(recipe, Recipe.FromJson(recipe.ToJson()));
        Assert.Contains("too large for a link", Assert.Throws<RecipeException>(recipe.ToLink).Message);
    }

    [Theory]
    [InlineData(0, null, "0123")]
    [InlineData(1, 3, "12")]
    [InlineData(3, null, "3")]
    public void ActsAt_StepRange_ExcludesTheEnd(int first, int? last, string expected)
    {
        var edit = Edit() with { FirstStep = first, LastStep = last };

        Assert.Equal(expected, string.Concat(Enumerable.Range(0, 4).Where(edit.ActsAt)));
        Assert.DoesNotContain(Enumerable.Range(0, 4), (edit with { Enabled = false }).ActsAt);
    }

    [Fact]
    public void In_AModeThatFindsNoCells_DropsWhatOnlyCellsHave()
    {
        var replaced = Edit().In(EditMode.ReplaceMean) with { Threshold = 2, Grow = 1 };

        Assert.Equal(Edit().In(EditMode.Scale), replaced.In(EditMode.Scale));
        Assert.Equal((2, 1), (replaced.In(EditMode.ReplaceNearest).Threshold, replaced.In(EditMode.ReplaceNearest).Grow));
    }

    private static ValueList<int> Numbers(int first, int count) => Enumerable.Range(first, count).ToValueList();

    private static RecipeLora Lora(string name = "style", double scale = 1, string fingerprint = "0123456789abcdef") =>
        new(name, scale, fingerprint);

    private static FeatureEdit Edit(double strength = 1) => new(Site.Composition, 1, strength);

    private static BrushMask Full(int side) => BrushMask.FromCells(side, side, [.. Enumerable.Repeat(1f, side * side)]);
}
