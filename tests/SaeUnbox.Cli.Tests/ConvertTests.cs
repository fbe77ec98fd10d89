using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

public sealed class ConvertTests : IDisposable
{
    private static readonly string Model = Goldens.At("model");

    private readonly TemporaryFolder _folder = new();

    private string File => _folder.At("tiny.safetensors");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Convert_FolderAndBack_GivesEqualPictures()
    {
        await ConvertToFileAsync();
        await Saeunbox.SucceedAsync("convert", File, _folder.At("back"), "--tokenizer", Model);
        var expected = await PictureAsync("--model", Model);
        Assert.Equal(expected, await PictureAsync("--model", File, "--tokenizer", Model));
        Assert.Equal(expected, await PictureAsync("--model", _folder.At("back")));
        Assert.Equal(expected, await PictureAsync("--model", Model, "--vae-folder", File));
    }

    [Fact]
    public async Task Convert_OtherDtype_StoresIt()
    {
        var use = await Saeunbox.RunAsync(["convert", Model, File, "--dtype", "bf16"]);
        Assert.Equal(0, use.Code);
        using var file = Checkpoint.Open(File);
        Assert.Equal("BF16", file.Entries["model.diffusion_model.out.2.weight"].Element.Name);
    }

    [Fact]
    public async Task Convert_PathMissing_SaysSo() =>
        Assert.Contains("nowhere", await Saeunbox.FailAsync("convert", _folder.At("nowhere"), File));

    [Fact]
    public async Task Convert_NotAModel_LeavesNothing()
    {
        var line = await Saeunbox.FailAsync("convert", Goldens.At("badfiles", "good.safetensors"), _folder.At("model"));
        Assert.Contains("no part of SD or SDXL", line);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task Inspect_OneFile_NamesItsLayoutAndParts()
    {
        await ConvertToFileAsync();
        Assert.Contains("SDXL in the original layout, U-Net, 2 text encoders, VAE", (await Saeunbox.SucceedAsync("inspect", File)).Output);
        var json = (await Saeunbox.SucceedAsync("inspect", File, "--json")).Json;
        Assert.Equal(nameof(CheckpointKind.OneFile), json.GetProperty("kind").GetString());
    }

    [Fact]
    public async Task Tokenize_OneFile_UsesClipsVocabulary()
    {
        await ConvertToFileAsync();
        var ids = (await Saeunbox.SucceedAsync("tokenize", "--model", File, "--json", "--", "a cat")).Json
            .GetProperty("tokenizer_2").GetProperty("ids");
        Assert.Equal([49406, 320, 2368, 49407, 0], ids.EnumerateArray().Take(5).Select(id => id.GetInt32()));
    }

    [Fact]
    public async Task Tokenize_OneFileWithAnotherTokenizer_UsesIt()
    {
        await ConvertToFileAsync();
        string[] words = ["--json", "--", "a red dog"];
        Assert.Equal((await Saeunbox.SucceedAsync(["tokenize", "--model", Model, .. words])).Output,
            (await Saeunbox.SucceedAsync(["tokenize", "--model", File, "--tokenizer", Model, .. words])).Output);
    }

    [Fact]
    public async Task Bench_Loading_ComparesItWithAPlainRead()
    {
        await ConvertToFileAsync();
        var json = (await Saeunbox.SucceedAsync("bench", "--loading", "--model", Model, "--repeats", "1", "--json")).Json;
        Assert.Equal(
            Directory.EnumerateFiles(Model, "*.safetensors", SearchOption.AllDirectories).Sum(path => new FileInfo(path).Length),
            json.GetProperty("fileBytes").GetInt64());
        Assert.True(json.GetProperty("loadPerRead").GetDouble() > 0);
    }

    private async Task ConvertToFileAsync()
    {
        var use = await Saeunbox.RunAsync(["convert", Model, File]);
        Assert.Equal((0, File + Environment.NewLine), (use.Code, use.Output));
        // Its vocabulary is not CLIP's.
        Assert.Contains("--tokenizer", use.Error);
    }

    private async Task<byte[]> PictureAsync(params string[] model)
    {
        var path = _folder.At("picture.png");
        await Saeunbox.SucceedAsync(["generate", .. model, "--threads", "1", "--prompt", "a red dog", "--out", path]);
        return Picture.Decode(System.IO.File.ReadAllBytes(path)).Pixels.ToArray();
    }
}
