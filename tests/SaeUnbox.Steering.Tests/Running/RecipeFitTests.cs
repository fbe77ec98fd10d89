using SaeUnbox.Testing;

namespace SaeUnbox.Steering.Tests;

public sealed class RecipeFitTests(GoldenModel model) : IClassFixture<GoldenModel>
{
    [Fact]
    public void Require_EveryFieldWrong_NamesEach()
    {
        var loaded = model.For("turbo1");
        var sae = loaded.Info.Sites[0];
        var recipe = model.Recipe("turbo1") with
        {
            Dtype = Dtype.Bf16,
            Edits =
            [
                new FeatureEdit(sae.Site, sae.Features, 1),
                new FeatureEdit(sae.Site, 0, 1) { Mask = BrushMask.FromCells(1, 1, [1f]) },
                new FeatureEdit(Site.Parse("down.1.0"), 0, 1),
            ],
        };
        var error = Assert.Throws<RecipeException>(() => RecipeFit.Require(recipe, loaded));
        Assert.Equal(["dtype", "edits[0].feature", "edits[1].mask", "edits[2].site"], error.Errors.Select(one => one.Field));
        Assert.Contains($"0 to {sae.Features - 1}", error.Message);
    }

    [Theory]
    [InlineData("other", false)]
    [InlineData("saes", true)]
    [InlineData("default", true)]
    [InlineData(null, true)]
    public void Require_NamedAutoencoders_MustBeTheLoadedOnes(string? name, bool fits)
    {
        var (loaded, recipe) = (model.For("turbo1"), model.Recipe("turbo1") with { Saes = name });
        var error = Record.Exception(() => RecipeFit.Require(recipe, loaded));
        if (fits)
            Assert.Null(error);
        else
            Assert.Contains("saes: is \"other\", but the model is loaded with the autoencoders \"saes\"",
                Assert.IsType<RecipeException>(error).Message);
    }

    [Fact]
    public void Load_Lora_IsPartOfTheModelAndOfItsRecipes()
    {
        using var folder = new TemporaryFolder();
        WrittenLora.Write(folder.At("style.safetensors"), "kohya", WrittenLora.Middle);
        ModelOptions plain = new() { Threads = 1, Folder = Goldens.At("model") };
        var file = new LoraFile(folder.At("style.safetensors"), 0.5);
        using var loaded = LoadedModel.Load(plain with { Loras = [file] });
        using var stronger = LoadedModel.Load(plain with { Loras = [file with { Scale = 1 }] });

        var recipe = loaded.Info.NewRecipe("a dog");
        Assert.Equal([new RecipeLora("style", 0.5, file.Fingerprint())], recipe.Loras);
        Assert.Equal("model + style:0.5", loaded.Info.Title);
        Assert.Equal("model", loaded.Info.Name);
        RecipeFit.Require(recipe, loaded);
        RecipeFit.Require(recipe with { Loras = [] }, loaded);
        var message = Assert.Throws<RecipeException>(() => RecipeFit.Require(recipe, stronger)).Message;
        Assert.Contains("style:0.5", message);
        Assert.Contains("style:1", message);
        Assert.Contains("no LoRA",
            Assert.Throws<RecipeException>(() => RecipeFit.Require(recipe with { Model = "model" }, model.For("turbo1"))).Message);
        Assert.Equal(3, new HashSet<string> { loaded.Fingerprint, stronger.Fingerprint, model.For("turbo1").Fingerprint }.Count);
    }

    [Fact]
    public void Load_VariantOfTheAutoencoders_IsPartOfTheirName()
    {
        var sae = model.For("turbo1").Info.Sites[0];
        var variant = $"k{sae.K}_hidden{sae.Features}";
        using var loaded = LoadedModel.Load(new ModelOptions
        {
            Threads = 1,
            Folder = Goldens.At("model"),
            SaeFolder = Goldens.At("saes"),
            SaeVariant = variant
        });
        Assert.Equal($"saes-{variant}", loaded.Info.Saes);
    }

    [Fact]
    public void Load_WithoutAutoencoders_HasNoNameForThem()
    {
        using var loaded = LoadedModel.Load(new ModelOptions { Threads = 1, Folder = Goldens.At("model") });
        var error = Assert.Throws<RecipeException>(() => RecipeFit.Require(model.Recipe("turbo1") with { Saes = "saes" }, loaded));
        Assert.Contains("no autoencoders", error.Message);
    }

    [Fact]
    public void Require_AblateWithoutADictionary_IsAllowed()
    {
        var loaded = model.For("turbo1");
        var site = loaded.Model.Sites.First(shape => loaded.Info.Find(shape.Site) is null).Site;
        RecipeFit.Require(model.Recipe("turbo1") with { Interventions = [new SiteIntervention.Ablate(site)] }, loaded);
        Assert.Throws<RecipeException>(() =>
            RecipeFit.Require(model.Recipe("turbo1") with { Interventions = [new SiteIntervention.Reconstruct(site)] }, loaded));
    }

    [Fact]
    public void Load_Model_ReportsProgressAndCanBeCancelled()
    {
        var options = new ModelOptions { Threads = 1, Folder = Goldens.At("model") };
        var shares = new List<double>();
        LoadedModel.Load(options, shares.Add).Dispose();
        Assert.Equal(shares.Order(), shares);
        Assert.Equal(1, shares[^1], 1e-9);
        Assert.True(shares.Count > 100);

        using var cancellation = new CancellationTokenSource();
        var told = 0;
        Assert.Throws<OperationCanceledException>(() => LoadedModel.Load(options, _ =>
        {
            told++;
            cancellation.Cancel();
        }, cancellation.Token));
        Assert.Equal(1, told);
    }

    [Theory]
    [InlineData]
    [InlineData("snapshots", "0123abc")]
    public void Load_CacheFolderOfTheHub_IsNamedByItsRepository(params string[] below)
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.At("models--owner--tiny-xl", "snapshots"));
        Directory.CreateDirectory(folder.At("models--owner--tiny-xl", "refs"));
        File.WriteAllText(folder.At("models--owner--tiny-xl", "refs", "main"), "0123abc");
        Directory.CreateSymbolicLink(folder.At("models--owner--tiny-xl", "snapshots", "0123abc"), Goldens.At("model"));
        using var loaded = LoadedModel.Load(new ModelOptions { Threads = 1, Folder = folder.At(["models--owner--tiny-xl", .. below]) });
        using var plain = LoadedModel.Load(new ModelOptions { Threads = 1, Folder = Goldens.At("model") });
        Assert.Equal("tiny-xl", loaded.Info.Name);
        Assert.Equal(plain.Fingerprint, loaded.Fingerprint);
    }

    [Fact]
    public void Load_WrongFolders_NameTheFault()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains(folder.Path,
            Assert.Throws<ModelException>(() => LoadedModel.Load(new ModelOptions { Threads = 1, Folder = folder.Path })).Message);
        Assert.Contains(folder.At("no"),
            Assert.Throws<ModelException>(() => LoadedModel.Load(new ModelOptions { Threads = 1, Folder = folder.At("no") })).Message);
        Assert.Contains(folder.Path, Assert.Throws<SaeException>(() =>
            LoadedModel.Load(new ModelOptions { Threads = 1, Folder = Goldens.At("model"), SaeFolder = folder.Path })).Message);
    }

    [Fact]
    public void Load_AutoencoderOfAnotherWidth_SaysItBelongsElsewhere()
    {
        // The probe autoencoder is narrower than any block.
        using var folder = new TemporaryFolder();
        var target = Directory.CreateDirectory(folder.At("unet.mid_block.attentions.0_k8_hidden24_probe", "final")).FullName;
        foreach (var file in Directory.GetFiles(Goldens.At("saes_other", "probe")))
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        var error = Assert.Throws<SaeException>(() => LoadedModel.Load(new ModelOptions
        {
            Threads = 1,
            Folder = Goldens.At("model"),
            SaeFolder = folder.Path
        }));
        Assert.Contains("mid.0", error.Message);
    }
}
