using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

/// <summary>
/// A dictionary on the last layer that the first text encoder runs, so that its output is the first part of the text states.
/// </summary>
public sealed class TextSteeringTests : IDisposable
{
    private const int Layer = 1, Width = 32, Features = 48, Strength = 3;

    private static readonly Site Place = Site.Text(Layer);

    private readonly TemporaryFolder _folder = new();
    private readonly LoadedModel _model;

    public TextSteeringTests()
    {
        foreach (var site in Directory.EnumerateDirectories(Goldens.At("saes")))
            Copy(site, _folder.At("saes", Path.GetFileName(site)));
        WrittenLayouts.Write("sdxl-unbox", _folder.At("saes", Place.ModulePath), DictionaryNumbers.Random(Features, Width, 4, seed: 7));
        SaeWriter.SaveScale(new ActivationScale([.. Enumerable.Range(1, Features).Select(i => i / 8f)], null),
            _folder.At("saes", Place.ModulePath));
        _model = LoadedModel.Load(GoldenModel.Options("base") with { SaeFolder = _folder.At("saes") });
    }

    private Recipe Plain => new()
    {
        Model = _model.Info.Name,
        Prompt = "a dog",
        NegativePrompt = "a cat",
        Seed = 3,
        Steps = 2,
        Guidance = 5,
        Width = 64,
        Height = 64,
    };

    [Fact]
    public void Load_FolderWithATextDictionary_KeepsItApart()
    {
        var sae = Assert.Single(_model.Info.TextSites);
        Assert.Equal((Place, Features, Width, 77), (sae.Site, sae.Features, sae.Channels, sae.Tokens));
        Assert.DoesNotContain(_model.Info.Sites, site => site.Site.IsText);
        Assert.Equal((1, 77), _model.Info.Find(Place)!.Grid(512, 512));
    }

    [Fact]
    public void Run_AddAtATextLayer_AddsToThePromptAndSubtractsFromTheNegativeOne()
    {
        using var scope = NewDisposeScope();
        var mask = BrushMask.FromCells(1, 77, [.. Enumerable.Range(0, 77).Select(i => i < 3 ? 0.5f : 0)]);
        var plain = Hidden(Plain);

        var edited = Hidden(Plain with { Edits = [new FeatureEdit(Place, 5, Strength) { Also = [9], Mask = mask }] });

        var sae = _model.TextSaes[Place];
        var direction = (sae.Direction(5) * tensor(sae.MeanOf(5))).Plus(sae.Direction(9) * tensor(sae.MeanOf(9))).Times(Strength * 0.5);
        var delta = zeros_like(plain);
        delta[0, ..3, ..Width] = -direction;
        delta[1, ..3, ..Width] = direction;
        TensorAssert.Close(plain.Plus(delta), edited, 1e-5);
    }

    [Fact]
    public void Run_WithoutANegativePrompt_LeavesItsZeros()
    {
        using var scope = NewDisposeScope();
        var recipe = Plain with { NegativePrompt = null, Edits = [new FeatureEdit(Place, 5, Strength)] };

        var edited = Hidden(recipe);

        Assert.Equal(0, edited[0].abs().max().item<float>());
        Assert.NotEqual(Hidden(recipe with { Edits = [] })[1].Floats(), edited[1].Floats());
    }

    [Fact]
    public void Run_ReadingATextLayer_GivesTheFeaturesOfThePromptsTokens()
    {
        using var scope = NewDisposeScope();
        using var runner = new RecipeRunner(_model);
        var request = new RunRequest { Read = [Place, Site.Middle], Picture = false };

        var maps = runner.Run(Plain, request).Maps;

        var map = maps.Find(Place)!;
        Assert.Equal((1, 77, 4), (map.Rows, map.Columns, map.K));
        using var codes = _model.TextSaes[Place].Encode(Hidden(Plain)[1, .., ..Width]);
        Assert.Equal(codes.Values.Floats(), map.Values.ToArray());
        Assert.Equal([Place, Site.Middle], maps.All.Select(one => one.Site).Distinct());
        // Again from what the first run left.
        Assert.Equal(map.Values.ToArray(), runner.Run(Plain, request).Maps.Find(Place)!.Values.ToArray());
    }

    [Fact]
    public void Run_TextAndUNetEditsFromACache_GiveTheBitsOfWholeRuns()
    {
        FeatureEdit text = new(Place, 5, Strength), painted = new(Site.Style, 1, 4);
        Recipe[] recipes =
        [
            Plain, Plain with { Edits = [text] }, Plain with { Edits = [painted] }, Plain with { Edits = [text, painted] },
            Plain with { Edits = [text with { Enabled = false }, painted] }, Plain with { Edits = [text with { Mode = EditMode.Scale }] },
        ];
        using var warm = new RecipeRunner(_model);
        foreach (var recipe in recipes.Concat(recipes))
        {
            using var fresh = new RecipeRunner(_model);
            Assert.Equal(fresh.Run(recipe).Picture!.Pixels, warm.Run(recipe).Picture!.Pixels);
        }
        Assert.NotEqual(warm.Run(recipes[0]).Picture!.Pixels.ToArray(), warm.Run(recipes[1]).Picture!.Pixels.ToArray());
        Assert.Equal(warm.Run(recipes[2]).Picture!.Pixels, warm.Run(recipes[4]).Picture!.Pixels);
    }

    [Fact]
    public void Run_InterventionOrStepsAtATextLayer_AreRefused()
    {
        using var runner = new RecipeRunner(_model);
        string Refusal(Recipe recipe) => Assert.Throws<RecipeException>(() => runner.Run(recipe)).Errors[0].Field;

        Assert.Equal("edits[0].firstStep", Refusal(Plain with { Edits = [new FeatureEdit(Place, 1, 1) { FirstStep = 1 }] }));
        Assert.Equal("edits[0].lastStep", Refusal(Plain with { Edits = [new FeatureEdit(Place, 1, 1) { LastStep = 1 }] }));
        Assert.Equal("edits[0].feature", Refusal(Plain with { Edits = [new FeatureEdit(Place, Features, 1)] }));
        Assert.Equal("edits[0].site", Refusal(Plain with { Edits = [new FeatureEdit(Site.Text(0), 1, 1)] }));
        Assert.Equal("interventions[0].site", Refusal(Plain with { Interventions = [new SiteIntervention.Ablate(Place)] }));
    }

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    // [2, 77, D]: the negative prompt, then the prompt.
    private Tensor Hidden(Recipe recipe)
    {
        using var runner = new RecipeRunner(_model);
        using var recorder = new RunRecorder([]);
        runner.Run(recipe, new RunRequest { Recorder = recorder, Picture = false });
        return recorder["text.hidden"].clone();
    }

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }
}
