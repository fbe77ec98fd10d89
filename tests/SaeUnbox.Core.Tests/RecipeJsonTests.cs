using System.Text.Json;

namespace SaeUnbox.Core.Tests;

public class RecipeJsonTests
{
    private static readonly Recipe Plain = new() { Model = "mini", Prompt = "a dog" };

    private static readonly Recipe Rich = Plain with
    {
        Saes = "k10",
        Loras = [new("style", 0.8, "0123456789abcdef"), new("lcm", 1, "fedcba9876543210")],
        NegativePrompt = "",
        Seed = long.MaxValue,
        Steps = 25,
        Guidance = 7.5,
        Width = 1024,
        Height = 768,
        Dtype = Dtype.Bf16,
        Vae = Vae.Tiny,
        Edits =
        [
            new(Site.Composition, 127, 5),
            new(Site.Style, 4998, -0.1)
            {
                Mode = EditMode.Scale, Mask = BrushMask.FromCells(1, 2, [0, 1]), FirstStep = 1, LastStep = 3, Enabled = false,
            },
            new(Site.Middle, 3, 1)
            {
                Also = [9, 4], Mode = EditMode.ReplaceNearest, Mask = BrushMask.FromCells(1, 2, [0, 1]), Threshold = 0.5, Grow = 2,
                FirstStep = 1,
            },
        ],
        Interventions = [new SiteIntervention.Ablate(Site.Middle), new SiteIntervention.Icon(Site.Details, 7)],
    };

    [Fact]
    public void ToJson_PlainRecipe_HasOnlyWhatMakesTheImage()
    {
        Assert.Equal(
            """{"version":1,"model":"mini","prompt":"a dog","seed":42,"steps":1,"guidance":0,"width":512,"height":512}""",
            Plain.ToJson());
    }

    [Fact]
    public void ToJson_EveryField_IsInTheFixedOrder()
    {
        Assert.Equal(
            """
            {"version":1,"model":"mini","saes":"k10","loras":[
            {"name":"style","scale":0.8,"fingerprint":"0123456789abcdef"},{"name":"lcm","scale":1,"fingerprint":"fedcba9876543210"}],
            "prompt":"a dog","negativePrompt":"","seed":9223372036854775807,"steps":25,
            "guidance":7.5,"width":1024,"height":768,"dtype":"bf16","vae":"tiny",
            "edits":[{"site":"down.2.1","feature":127,"mode":"add","strength":5},
            {"site":"up.0.1","feature":4998,"mode":"scale","strength":-0.1,"mask":"1x2/1:AQABAQ",
            "firstStep":1,"lastStep":3,"enabled":false},
            {"site":"mid.0","feature":3,"also":[9,4],"mode":"replace-nearest","strength":1,"mask":"1x2/1:AQABAQ",
            "threshold":0.5,"grow":2,"firstStep":1}],
            "interventions":[{"kind":"ablate","site":"mid.0"},{"kind":"icon","site":"up.0.0","feature":7}]}
            """.Replace("\n", ""),
            Rich.ToJson());
    }

    [Fact]
    public void ToJson_FieldsOfVersion2_AreWrittenAsVersion2()
    {
        Assert.Equal(
            """
            {"version":2,"model":"mini","prompt":"a dog","seed":42,"steps":1,"guidance":0,"width":512,"height":512,"overlap":"cover",
            "edits":[{"site":"mid.0","feature":1,"mode":"add","strength":2,"name":"my snow"}]}
            """.Replace("\n", ""),
            (Plain with { Overlap = Overlap.Cover, Edits = [new(Site.Middle, 1, 2) { Name = "my snow" }] }).ToJson());
        Assert.Equal(
            """
            {"version":2,"model":"mini","prompt":"a dog","seed":42,"steps":1,"guidance":0,"width":512,"height":512,
            "edits":[{"site":"mid.0","feature":1,"also":[4],"weights":[1,-0.5],"mode":"add","strength":2}]}
            """.Replace("\n", ""),
            (Plain with { Edits = [new(Site.Middle, 1, 2) { Also = [4], Weights = [1, -.5] }] }).ToJson());
    }

    [Fact]
    public void ToJson_AnyRecipe_ReadsBackEqualAndWritesTheSameText()
    {
        Samples.ForAll(Samples.Recipes, recipe =>
        {
            var json = recipe.ToJson();
            var read = Recipe.FromJson(json);
            return read == recipe
                && read.GetHashCode() == recipe.GetHashCode()
                && read.ToJson() == json
                && read.ContentHash() == recipe.ContentHash();
        });
    }

    [Fact]
    public void ToJson_AnyRecipe_IsValidJson()
    {
        Samples.ForAll(Samples.Recipes, recipe =>
        {
            using var document = JsonDocument.Parse(recipe.ToJson());
            return document.RootElement.GetProperty("prompt").GetString() == recipe.Prompt;
        });
    }

    [Fact]
    public void ToJson_NegativeZero_IsZero()
    {
        var recipe = Plain with { Guidance = -0.0 };

        Assert.Equal(Plain, recipe);
        Assert.Equal(Plain.ToJson(), recipe.ToJson());
    }

    [Fact]
    public void ToJson_InvalidRecipe_Throws()
    {
        Assert.Throws<RecipeException>(() => (Plain with { Steps = 0 }).ToJson());
    }

    [Fact]
    public void ContentHash_OfARecipe_NeverChanges()
    {
        Assert.Equal("0a9f6fbd", Plain.ContentHash()[..8]);
        Assert.NotEqual(Plain.ContentHash(), (Plain with { NegativePrompt = "" }).ContentHash());
    }

    [Theory]
    [InlineData("""{"version":3,"model":"m","prompt":"","seed":1,"steps":1,"guidance":0,"width":512,"height":512}""", "version: is 3")]
    [InlineData("""{"version":2,"model":"m","prompt":"","seed":1,"steps":1,"guidance":0,"width":8,"height":8,"overlap":"mix"}""",
        "overlap: is 'mix'; write one of sum, cover")]
    [InlineData("""{"model":"m","prompt":"","seed":1,"steps":1,"guidance":0,"width":512,"height":512}""", "version: is missing")]
    [InlineData("""{"version":1,"model":"m","prompt":"","seed":1,"steps":1,"guidance":0,"width":512,"height":512,"colour":1}""",
        "'colour': is not a field")]
    [InlineData("""{"version":1,"model":"m","prompt":"","seed":1,"steps":1,"guidance":0,"width":512,"height":512,"Seed":1}""",
        "'Seed': is not a field")]
    [InlineData("""{"version":1,"model":"m","prompt":"","seed":1,"steps":1,"guidance":0,"width":512,"width":512,"height":512}""",
        "not valid JSON")]
    [InlineData("""{"version":1,"model":"m","prompt":"","seed":1.5,"steps":"1","guidance":null,"width":512,"height":[]}""",
        "seed: is not a whole number")]
    [InlineData("""{"version":1,"model":"m","prompt":3,"seed":1,"steps":1,"guidance":0,"width":512,"height":512}""",
        "prompt: is not a string")]
    [InlineData("""{"version":1,"model":"m","prompt":"\ud83d","seed":1,"steps":1,"guidance":0,"width":512,"height":512}""",
        "prompt: contains an unpaired surrogate")]
    [InlineData("""{"version":1,"\ud83d":"m"}""", "unpaired surrogate")]
    [InlineData("""{"version":1,"model":"m",}""", "not valid JSON (line 1, byte")]
    [InlineData("""{"version":1} {}""", "not valid JSON")]
    [InlineData("""[]""", "recipe: is not a JSON object")]
    [InlineData("""null""", "recipe: is not a JSON object")]
    [InlineData("", "not valid JSON")]
    [InlineData("[[[[[[[[[[[[[[]]]]]]]]]]]]]]", "not valid JSON")]
    public void FromJson_Broken_NamesTheField(string json, string problem)
    {
        var error = Assert.Throws<RecipeException>(() => Recipe.FromJson(json));

        Assert.Contains(problem, error.Message);
    }

    [Theory]
    [InlineData("""{"feature":1,"strength":1}""", "edits[1].site: is missing")]
    [InlineData("""{"site":"here","feature":1,"strength":1}""", "edits[1].site: is 'here'")]
    [InlineData("""{"site":"mid.0","feature":-1,"strength":1}""", "edits[1].feature: is -1")]
    [InlineData("""{"site":"mid.0","feature":99999999999,"strength":1}""", "edits[1].feature: is not a whole number")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":41}""", "edits[1].strength: is 41; it must lie between -40 and 40")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1e999}""", "edits[1].strength")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"mode":"Add"}""", "edits[1].mode: is 'Add'; write one of add, scale")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"also":2}""", "edits[1].also: is not an array")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"also":[2,0.5]}""", "edits[1].also: [1] is not a whole number")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"weights":[true]}""", "edits[1].weights: [0] is not a number")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"weights":[1,1]}""", "edits[1].weights: has 2 weights; the edit has 1")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"weights":[2]}""", "edits[1].weights[0]: is 2; it must lie between -1 and 1")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"threshold":1}""", "edits[1].threshold: does not belong to the mode add")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"grow":1}""", "edits[1].grow: does not belong to the mode add")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"mask":"2x2/1:AA"}""", "edits[1].mask: ")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"mask":[[0,2]]}""", "edits[1].mask: the cell in row 0, column 1 is 2")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"mask":7}""", "edits[1].mask: is neither")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"firstStep":4}""", "edits[1].firstStep: is 4")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"firstStep":2,"lastStep":2}""", "edits[1].lastStep: is 2")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"lastStep":5}""", "edits[1].lastStep: is 5")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"enabled":1}""", "edits[1].enabled: is neither true nor false")]
    [InlineData("""{"site":"mid.0","feature":1,"strength":1,"colour":1}""", "edits[1].'colour': is not a field")]
    [InlineData("7", "edits[1]: is not an object")]
    public void FromJson_BrokenEdit_NamesTheEditAndTheField(string edit, string problem)
    {
        var json = $$"""
            {"version":1,"model":"m","prompt":"","seed":1,"steps":4,"guidance":0,"width":512,"height":512,
             "edits":[{"site":"mid.0","feature":1,"strength":1},{{edit}}]}
            """;

        var error = Assert.Throws<RecipeException>(() => Recipe.FromJson(json));

        Assert.StartsWith(problem, Assert.Single(error.Errors).ToString());
    }

    [Theory]
    [InlineData("""[{"kind":"erase","site":"mid.0"}]""", "interventions[0].kind: is 'erase'")]
    [InlineData("""[{"kind":"icon","site":"mid.0"}]""", "interventions[0].feature: is missing")]
    [InlineData("""[{"kind":"ablate","site":"mid.0","feature":3}]""", "interventions[0].'feature': is not a field")]
    [InlineData("""[{"kind":"ablate","site":"mid.0"},{"kind":"reconstruct","site":"mid.0"}]""", "interventions[1].site: mid.0 already has")]
    [InlineData("""{}""", "interventions: is not a list")]
    public void FromJson_BrokenIntervention_NamesTheField(string interventions, string problem)
    {
        var json = $$"""
            {"version":1,"model":"m","prompt":"","seed":1,"steps":4,"guidance":0,"width":512,"height":512,
             "interventions":{{interventions}}}
            """;

        var error = Assert.Throws<RecipeException>(() => Recipe.FromJson(json));

        Assert.StartsWith(problem, Assert.Single(error.Errors).ToString());
    }

    [Fact]
    public void FromJson_SeveralFaults_NamesEach()
    {
        var error = Assert.Throws<RecipeException>(() => Recipe.FromJson("""{"version":1,"model":"../m","steps":0,"edits":[{}]}"""));

        Assert.Equal(
            ["model", "prompt", "seed", "steps", "guidance", "width", "height", "edits[0].site", "edits[0].feature", "edits[0].strength"],
            error.Errors.Select(e => e.Field));
    }

    [Fact]
    public void FromJson_MaskAsRows_IsTheSameRecipeAsItsText()
    {
        var json = Rich.ToJson().Replace("\"1x2/1:AQABAQ\"", "[[0,1]]");

        Assert.Equal(Rich, Recipe.FromJson(json));
    }

    [Fact]
    public void FromJson_WithDefaults_FillsMissingFields()
    {
        var defaults = Rich with { Model = "base", Prompt = "none" };

        var recipe = Recipe.FromJson("""{"prompt":"a cat","seed":7}""", defaults);

        Assert.Equal(
            new Recipe { Model = "base", Prompt = "a cat", Seed = 7, Steps = 25, Guidance = 7.5, Width = 1024, Height = 768 } with
            {
                Loras = Rich.Loras,
            },
            recipe);
        Assert.Throws<RecipeException>(() => Recipe.FromJson("""{"prompt":"a cat","seed":-7}""", defaults));
    }

    [Fact]
    public void FromJson_WithoutLoras_TakesTheDefaultsUnlessTheyAreNamed()
    {
        var defaults = Plain with { Loras = [new("style", 0.8, "0123456789abcdef")] };
        Assert.Equal(defaults.Loras, Recipe.FromJson("{}", defaults).Loras);
        Assert.Equal(defaults.Loras, Recipe.FromJson("""{"loras":null}""", defaults).Loras);
        Assert.Empty(Recipe.FromJson("""{"loras":[]}""", defaults).Loras);
        Assert.Empty(Recipe.FromJson(Plain.ToJson()).Loras);
    }

    [Fact]
    public void Serializer_RecipeInsideOtherJson_KeepsTheCanonicalForm()
    {
        var json = JsonSerializer.Serialize(new[] { Rich });

        Assert.Equal($"[{Rich.ToJson()}]", json);
        Assert.Equal([Rich], JsonSerializer.Deserialize<Recipe[]>(json)!);
        var error = Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Recipe[]>("[{}]"));
        Assert.Contains("model: is missing", error.Message);
    }

    [Fact]
    public void FromJson_LongerThanAllowed_IsRefusedUnread()
    {
        var json = new string(' ', RecipeLimits.MaxJsonLength) + "{}";

        Assert.Contains("characters long", Assert.Throws<RecipeException>(() => Recipe.FromJson(json)).Message);
    }

    [Fact]
    public void FromJson_ThousandsOfFaults_ReportsAFew()
    {
        var json = "{\"edits\":[" + string.Join(',', Enumerable.Repeat("{}", 10_000)) + "]," +
            string.Join(',', Enumerable.Range(0, 10_000).Select(i => $"\"f{i}\":0")) + "}";

        Assert.InRange(Assert.Throws<RecipeException>(() => Recipe.FromJson(json)).Errors.Count, 10, 100);
    }
}
