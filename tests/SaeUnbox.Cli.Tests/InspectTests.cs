using System.Text.Json;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

public sealed class InspectTests
{
    public static TheoryData<string> Checkpoints() => [.. Directory.EnumerateFiles(Goldens.Root, "*", SearchOption.AllDirectories)
        .Where(path => Path.GetExtension(path) is ".safetensors" or ".pt" or ".pth")
        .Select(path => Path.GetRelativePath(Goldens.Root, path)).Where(path => !path.StartsWith("badfiles", StringComparison.Ordinal))];

    public static TheoryData<string> BadFiles() => [.. Goldens.Json("badfiles.json").EnumerateObject()
        .Where(file => file.Value.GetProperty("expect").GetString() == "reject" && !file.Name.EndsWith(".json", StringComparison.Ordinal))
        .Select(file => file.Name)];

    public static TheoryData<string, string> Folders() => new()
    {
        { "model", nameof(CheckpointKind.Pipeline) }, { "model/unet", nameof(CheckpointKind.UNet) },
        { "model/vae", nameof(CheckpointKind.Autoencoder) },
        { "model/text_encoder", nameof(CheckpointKind.TextEncoder) }, { "model/tokenizer", nameof(CheckpointKind.Tokenizer) },
        { "model/scheduler", nameof(CheckpointKind.Scheduler) }, { "vae_tiny", nameof(CheckpointKind.TinyAutoencoder) },
        { "saes", nameof(CheckpointKind.SparseAutoencoders) },
    };

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public async Task Inspect_GoldenFile_ListsEveryTensor(string path)
    {
        var use = await Saeunbox.SucceedAsync("inspect", Goldens.At(path), "--json");
        using var file = Checkpoint.Open(Goldens.At(path));
        var listed = use.Json.GetProperty("tensors").EnumerateArray().ToDictionary(
            tensor => tensor.GetProperty("name").GetString()!, tensor => tensor
                .GetProperty("shape")
                .EnumerateArray()
                .Select(side => side.GetInt64())
                .ToArray());
        Assert.Equal(file.Entries.Keys.Order(StringComparer.Ordinal), listed.Keys.Order(StringComparer.Ordinal));
        Assert.All(file.Entries.Values, entry => Assert.Equal(entry.Shape, listed[entry.Name]));
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public async Task Inspect_GoldenFolder_NamesItsKind(string path, string kind)
    {
        var folder = Goldens.At(path.Split('/'));
        Assert.Equal(kind, (await Saeunbox.SucceedAsync("inspect", folder, "--json")).Json.GetProperty("kind").GetString());
        Assert.StartsWith(folder, (await Saeunbox.SucceedAsync("inspect", folder)).Output);
    }

    [Theory]
    [MemberData(nameof(BadFiles))]
    public async Task Inspect_BrokenOrHostileFile_IsRefusedInOneLine(string name) =>
        Assert.Contains(name, await Saeunbox.FailAsync("inspect", Goldens.At("badfiles", name)));

    [Fact]
    public async Task Inspect_Cancelled_SaysSo()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        var use = await Saeunbox.RunAsync(["inspect", Goldens.At("model")], cancelled.Token);
        Assert.Equal((130, "", "saeunbox: interrupted\n"), (use.Code, use.Output, use.Error));
    }

    [Fact]
    public async Task Tokenize_GoldenTexts_GivesTheirIds()
    {
        foreach (var text in Goldens.Json("tokens.json").GetProperty("texts").EnumerateArray().Take(20))
        {
            var use = await Saeunbox.SucceedAsync("tokenize", "--model", Goldens.At("model"), "--json", "--",
                text.GetProperty("text").GetString()!);
            Assert.Equal(Numbers(text.GetProperty("ids_1")), Numbers(use.Json.GetProperty("tokenizer").GetProperty("ids")));
            Assert.Equal(Numbers(text.GetProperty("ids_2")), Numbers(use.Json.GetProperty("tokenizer_2").GetProperty("ids")));
            Assert.Equal(text.GetProperty("length_1").GetInt32(), use.Json.GetProperty("tokenizer").GetProperty("length").GetInt32());
        }
    }

    private static IEnumerable<int> Numbers(JsonElement array) => array.EnumerateArray().Select(number => number.GetInt32());
}
