using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Cli.Tests;

public sealed class GenerateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Runs() => [.. GoldenUse.Runs];

    [Theory]
    [MemberData(nameof(Runs))]
    public async Task Dump_GoldenRun_HasTheReferenceTensors(string run)
    {
        await Saeunbox.SucceedAsync([
            "generate",
            .. GoldenUse.Words(run),
            "--out",
            _folder.At("x.png"),
            "--dump",
            _folder.At("x.safetensors")
        ]);
        CheckDump(run);
    }

    private void CheckDump(string run)
    {
        using var scope = torch.NewDisposeScope();
        using var dump = Checkpoint.Open(_folder.At("x.safetensors"));
        var steps = GoldenUse.Number(run, "num_inference_steps");
        Assert.Equal(
            [
                .. new[] { "image", "latents", "noise", "text.hidden", "text.pooled" }
                    .Concat(Enumerable.Range(0, steps).Select(step => $"step.{step}.latents"))
                    .Concat(GoldenUse.Sites.SelectMany(site => new[] { $"{site}.input", $"{site}.output" })).Order(StringComparer.Ordinal),
            ],
            dump.Entries.Keys.Order(StringComparer.Ordinal));

        var file = $"runs/{run}.safetensors";
        var tolerance = GoldenUse.Tolerance(run);
        TensorAssert.Close(GoldenTensors.Read(file, "noise"), dump.Read("noise"), 1e-5);
        TensorAssert.Close(GoldenTensors.Read(file, "latents"), dump.Read("latents"), tolerance);
        var latents = GoldenTensors.Read(file, "step_latents");
        for (var step = 0; step < steps; step++)
            TensorAssert.Close(latents[step], dump.Read($"step.{step}.latents")[0], tolerance);
        foreach (var site in GoldenUse.Sites)
            foreach (var end in (string[])["input", "output"])
                TensorAssert.Close(GoldenTensors.Read(file, $"{site.ModulePath}/{end}").transpose(0, 1), dump.Read($"{site}.{end}"),
                    tolerance);
        Assert.Equal(dump.Entries["text.hidden"].Shape[0], dump.Entries["text.pooled"].Shape[0]);
        Assert.Equal(77, dump.Entries["text.hidden"].Shape[1]);
        Assert.Equal([1, 3, GoldenUse.Number(run, "height"), GoldenUse.Number(run, "width")], dump.Entries["image"].Shape);
        Assert.Equal(torch.ScalarType.Float32, dump.Entries["image"].DType);
    }

    [Fact]
    public async Task Recipe_FromPictureOrJson_GivesTheSamePixelsAndRecipe()
    {
        var site = GoldenUse.Sites[0];
        var (rows, columns) = GoldenUse.Grid(GoldenUse.Smallest);
        var mask = "["
            + string.Join(",",
                Enumerable.Range(0, rows)
                    .Select(row => $"[{string.Join(",", Enumerable.Range(0, columns).Select(column => (row + column) % 2))}]"))
                + "]";
        string[] steered =
        [
            "--edit", $"{site}:1:5.5@{mask}#0-1", "--edit", $"{site}:2:-1:scale", "--ablate", GoldenUse.Sites[^1].Code, "--reconstruct",
            GoldenUse.Sites[1].Code, "--overlap", "cover",
        ];
        await Saeunbox.SucceedAsync(["generate", .. GoldenUse.Words(GoldenUse.Smallest), .. steered, "--out", _folder.At("first.png")]);
        var first = File.ReadAllBytes(_folder.At("first.png"));
        File.WriteAllText(_folder.At("recipe.json"), Png.FindText(first, Recipe.PngKeyword));

        foreach (var (file, name) in new[] { ("first.png", "second.png"), ("recipe.json", "third.png") })
        {
            await Saeunbox.SucceedAsync([
                "generate",
                .. GoldenUse.Words(GoldenUse.Smallest)[..8],
                "--recipe",
                _folder.At(file),
                "--out",
                _folder.At(name)
            ]);
            Assert.Equal(first, File.ReadAllBytes(_folder.At(name)));
        }
        var recipe = Recipe.FromJson(Png.FindText(first, Recipe.PngKeyword)!);
        Assert.Equal(Overlap.Cover, recipe.Overlap);
        Assert.Equal([5.5, -1.0], recipe.Edits.Select(edit => edit.Strength));
        Assert.Equal((rows, columns), (recipe.Edits[0].Mask!.Rows, recipe.Edits[0].Mask!.Columns));
        Assert.Equal((0, 1), (recipe.Edits[0].FirstStep, recipe.Edits[0].LastStep));
    }

    [Fact]
    public async Task Recipe_WithOptions_IsOverriddenByThem()
    {
        var plain = new Recipe { Model = "elsewhere", Prompt = "a dog", Seed = 7, Width = 64, Height = 64 };
        File.WriteAllText(_folder.At("recipe.json"), plain.ToJson());
        var use = await Saeunbox.RunAsync(
            [
                "generate",
                .. Saeunbox.GoldenModel,
                "--recipe",
                _folder.At("recipe.json"),
                "--prompt",
                "a cat",
                "--seed",
                "8",
                "--out",
                _folder.At("x.png"),
                "--json"
            ]);
        Assert.Equal(0, use.Code);
        Assert.Contains("'elsewhere'", use.Error);
        var recipe = use.Json.GetProperty("recipe");
        Assert.Equal(("a cat", 8, 64),
            (recipe.GetProperty("prompt").GetString(), recipe.GetProperty("seed").GetInt64(), recipe.GetProperty("width").GetInt32()));
        Assert.Equal(_folder.At("x.png"), use.Json.GetProperty("out").GetString());
        Assert.All(use.Json.GetProperty("seconds").EnumerateObject(), stage => Assert.True(stage.Value.GetDouble() >= 0));
    }

    [Fact]
    public async Task Prompt_TooLongForTheEncoders_AddsANote()
    {
        var use = await Saeunbox.RunAsync(
            [
                "generate",
                .. Saeunbox.GoldenModel,
                "--width",
                "64",
                "--height",
                "64",
                "--prompt",
                string.Join(' ', Enumerable.Repeat("cat", 100)),
                "--out",
                _folder.At("x.png")
            ]);
        Assert.Equal(0, use.Code);
        Assert.Contains("ignored", Assert.Single(use.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    [Fact]
    public async Task Mask_Blank_AddsANote()
    {
        var site = GoldenUse.Sites[0];
        var (rows, columns) = GoldenUse.Grid(GoldenUse.Smallest);
        var blank = BrushMask.FromCells(rows, columns, new float[rows * columns]).ToString();
        string[] words = ["generate", .. GoldenUse.Words(GoldenUse.Smallest), "--out", _folder.At("x.png"), "--edit"];

        var use = await Saeunbox.RunAsync([.. words, $"{site}:1:5@{blank}"]);

        Assert.Equal(0, use.Code);
        Assert.Equal($"saeunbox: the mask of the edit {site}:1 is blank: the edit changes nothing.\n", use.Error);
        await Saeunbox.SucceedAsync([.. words, $"{site}:1:5"]);
    }

    [Fact]
    public async Task Cancelled_BeforeTheEnd_SaysSoAndLeavesNothing()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        var use = await Saeunbox.RunAsync(["generate", .. GoldenUse.Words(GoldenUse.Smallest), "--out", _folder.At("x.png")],
            cancelled.Token);
        Assert.Equal((130, "", "saeunbox: interrupted\n"), (use.Code, use.Output, use.Error));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    public void Dispose() => _folder.Dispose();
}
