using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

public sealed class LoraTests : IDisposable
{
    private static readonly string Model = Goldens.At("model");

    private readonly TemporaryFolder _folder = new();

    public LoraTests() => WrittenLora.Write(File, "kohya", WrittenLora.Middle);

    private string File => _folder.At("style.safetensors");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Generate_WithLoras_TellsTheCountAndKeepsThemInTheRecipe()
    {
        WrittenLora.Write(_folder.At("other.safetensors"), "peft", WrittenLora.Middle);
        var use = await GenerateAsync("x.png", "--lora", $"{File}:0.5", "--lora", _folder.At("other.safetensors"));
        Assert.Contains("style.safetensors: 1 of 1 modules merged.", use.Error);
        Assert.Contains("other.safetensors: 1 of 1 modules merged.", use.Error);
        Assert.Equal(["style:0.5", "other:1"], RecipeOf("x.png").Loras.Select(lora => lora.ToString()));
        Assert.Equal(new LoraFile(File).Fingerprint(), RecipeOf("x.png").Loras[0].Fingerprint);

        await GenerateAsync("plain.png");
        Assert.Empty(RecipeOf("plain.png").Loras);
        Assert.NotEqual(PixelsOf("plain.png"), PixelsOf("x.png"));
        await GenerateAsync("zero.png", "--lora", $"{File}:0");
        Assert.Equal(PixelsOf("plain.png"), PixelsOf("zero.png"));
    }

    [Fact]
    public async Task Generate_RecipeOfAnotherLora_SaysSoInOneSentence()
    {
        await GenerateAsync("x.png", "--lora", $"{File}:0.5");
        string[] again = ["generate", "--model", Model, "--threads", "1", "--recipe", _folder.At("x.png"), "--out", _folder.At("y.png")];
        Assert.Contains("the recipe was made with the LoRA style:0.5", (await Saeunbox.RunAsync(again)).Error);
        Assert.Empty(RecipeOf("y.png").Loras);
        Assert.DoesNotContain("was made", (await Saeunbox.RunAsync([.. again, "--lora", $"{File}:0.5"])).Error);
        Assert.Equal(PixelsOf("x.png"), PixelsOf("y.png"));
    }

    [Fact]
    public async Task Generate_LoraThatIsNotThere_SaysSo() =>
        Assert.Contains("there is no such file",
            await Saeunbox.FailAsync("generate", "--model", Model, "--lora", _folder.At("no.safetensors:2"), "--prompt", "x", "--out",
                _folder.At("x.png")));

    [Fact]
    public async Task Generate_LoraOfAnotherModel_SaysSo()
    {
        var line = await Saeunbox.FailAsync("generate", "--lora", File, "--prompt", "x", "--out", _folder.At("x.png"));
        Assert.Contains("which do not fit", line);
        Assert.Contains("belongs to another model", line);
    }

    [Fact]
    public async Task Convert_WithLora_WritesTheMergedModel()
    {
        var use = await Saeunbox.RunAsync(["convert", Model, _folder.At("merged"), "--lora", File, "--dtype", "fp32"]);
        Assert.Equal((0, true), (use.Code, use.Error.Contains("1 of 1 modules merged", StringComparison.Ordinal)));
        await GenerateAsync("x.png", "--lora", File);
        await Saeunbox.SucceedAsync("generate", "--model", _folder.At("merged"), "--threads", "1", "--prompt", "a dog", "--out",
            _folder.At("y.png"), "--dtype", "fp32");
        Assert.Equal(PixelsOf("x.png"), PixelsOf("y.png"));
    }

    [Fact]
    public async Task Inspect_Lora_NamesIt() =>
        Assert.Contains("LoRA of rank 4 for 1 modules of U-Net, in names of kohya", (await Saeunbox.SucceedAsync("inspect", File)).Output);

    private async Task<Use> GenerateAsync(string picture, params string[] words)
    {
        var use = await Saeunbox.RunAsync(["generate", "--model", Model, "--threads", "1", "--dtype", "fp32", "--prompt", "a dog", "--out",
            _folder.At(picture), .. words]);
        Assert.True(use.Code == 0, use.Error);
        return use;
    }

    private Recipe RecipeOf(string picture) =>
        Recipe.FromJson(Png.FindText(System.IO.File.ReadAllBytes(_folder.At(picture)), Recipe.PngKeyword)!);

    private byte[] PixelsOf(string picture) => [.. Png.Decode(System.IO.File.ReadAllBytes(_folder.At(picture))).Pixels];
}
