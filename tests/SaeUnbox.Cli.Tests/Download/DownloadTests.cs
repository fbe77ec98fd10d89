using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

public sealed class DownloadTests : IDisposable
{
    private const string Repository = "someone/something";
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task Download_Defaults_FetchesHalfPrecisionModelDictionariesAndTinyDecoder()
    {
        await using var hub = await FakeHub.StartAsync();
        string[] model =
        [
            "model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json", "text_encoder/model.fp16.safetensors",
            "text_encoder_2/config.json", "text_encoder_2/model.fp16.safetensors", "tokenizer/merges.txt", "tokenizer/vocab.json",
            "tokenizer_2/merges.txt", "tokenizer_2/vocab.json", "unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors",
            "vae/config.json", "vae/diffusion_pytorch_model.fp16.safetensors",
        ];
        string[] others =
        [
            "README.md", "sd_xl_turbo_1.0.safetensors", "text_encoder/model.safetensors", "text_encoder/model.onnx",
            "text_encoder_2/model.safetensors",
            "unet/diffusion_pytorch_model.safetensors", "unet/model.onnx_data", "vae/diffusion_pytorch_model.safetensors",
            "vae_decoder/model.onnx",
        ];
        string[] sites = [
            "unet.down_blocks.2.attentions.1",
            "unet.mid_block.attentions.0",
            "unet.up_blocks.0.attentions.0",
            "unet.up_blocks.0.attentions.1"
        ];
        string[] parts = ["config.json", "mean.pt", "state_dict.pth", "std.pt"];
        var saes = sites.SelectMany(site => parts.Select(part => $"{site}_k10_hidden5120_auxk256_bs4096_lr0.0001/final/{part}")).ToArray();
        foreach (var path in model.Concat(others))
            hub.Add("stabilityai/sdxl-turbo", path);
        foreach (var path in saes)
            hub.Add("surokpro2/sdxl-saes", path);
        hub.Add("surokpro2/sdxl-saes", "unet.mid_block.attentions.0_k20_hidden5120_auxk256_bs4096_lr0.0001/final/state_dict.pth");
        hub.Add("madebyollin/taesdxl", "config.json");
        hub.Add("madebyollin/taesdxl", "diffusion_pytorch_model.safetensors");
        hub.Add("madebyollin/taesdxl", "taesdxl_decoder.pth");

        await Saeunbox.SucceedAsync("download", "--out", _folder.Path, "--host", hub.Address, "--tiny-vae");

        var expected = model.Select(path => $"sdxl-turbo/{path}").Concat(saes.Select(path => $"sdxl-saes/{path}"))
            .Append("vae_tiny/config.json").Append("vae_tiny/diffusion_pytorch_model.safetensors");
        Assert.Equal(expected.Order(StringComparer.Ordinal), Files());
    }

    [Fact]
    public async Task Download_AnotherPipeline_FetchesWhatIsUsedOfIt()
    {
        await using var hub = await FakeHub.StartAsync();
        string[] used =
            [
                "model_index.json",
                "text_encoder/model.fp16.safetensors",
                "tokenizer/vocab.json",
                "unet/diffusion_pytorch_model.fp16.safetensors"
            ];
        string[] others =
        [
            "v1-5-pruned.ckpt", "feature_extractor/preprocessor_config.json", "safety_checker/config.json",
            "safety_checker/model.fp16.safetensors", "text_encoder/model.safetensors", "unet/diffusion_pytorch_model.safetensors",
            "unet/diffusion_pytorch_model.non_ema.safetensors",
        ];
        foreach (var path in used.Concat(others))
            hub.Add(Repository, path);
        await DownloadAsync(hub);
        Assert.Equal(used.Select(path => $"something/{path}").Order(StringComparer.Ordinal), Files());
    }

    [Fact]
    public async Task Download_FullPrecision_FetchesFloat32Weights()
    {
        await using var hub = await FakeHub.StartAsync();
        foreach (var path in (string[])[
            "model_index.json",
            "unet/model.safetensors",
            "unet/model.fp16.safetensors",
            "vae/only.fp16.safetensors"
        ])
            hub.Add("stabilityai/sdxl-turbo", path);
        await Saeunbox.SucceedAsync("download", "--out", _folder.Path, "--host", hub.Address, "--repo", "stabilityai/sdxl-turbo",
            "--full-precision");
        Assert.Equal(["sdxl-turbo/model_index.json", "sdxl-turbo/unet/model.safetensors", "sdxl-turbo/vae/only.fp16.safetensors"], Files());
    }

    [Fact]
    public async Task Download_Again_FetchesOnlyMissingOrWrongFiles()
    {
        await using var hub = await FakeHub.StartAsync();
        var large = hub.Add(Repository, "a.bin");
        var small = hub.Add(Repository, "b.json");
        var empty = hub.Add(Repository, "c/empty.txt", 0);
        var use = await DownloadAsync(hub, "--json");
        Assert.Equal(["a.bin", "b.json", "c/empty.txt"],
            use.Json[0].GetProperty("files").EnumerateArray().Select(file => file.GetString()));
        Assert.Equal([large, small, empty], [Bytes("a.bin"), Bytes("b.json"), Bytes("c/empty.txt")]);

        hub.Requests.Clear();
        await DownloadAsync(hub);
        Assert.Empty(hub.Requests);

        File.WriteAllBytes(At("b.json"), new byte[small.Length]);
        await DownloadAsync(hub);
        Assert.Equal(["b.json"], hub.Requests.Select(request => request.Path));
        Assert.Equal(small, Bytes("b.json"));
    }

    [Fact]
    public async Task Download_ConnectionBreaks_Continues()
    {
        await using var hub = await FakeHub.StartAsync();
        var bytes = hub.Add(Repository, "a.bin", 100_000);
        hub.Breaks = 2;
        await DownloadAsync(hub);
        Assert.Equal(bytes, Bytes("a.bin"));
        Assert.Equal([null, "bytes=50000-", "bytes=75000-"], hub.Requests.Select(request => request.Range));
        Assert.Equal(["something/a.bin"], Files());
    }

    [Fact]
    public async Task Download_KeepsBreaking_KeepsThePartForNextTime()
    {
        await using var hub = await FakeHub.StartAsync();
        var bytes = hub.Add(Repository, "a.bin", 1000);
        (hub.Breaks, hub.IgnoresRange) = (int.MaxValue, true);
        Assert.Contains("a.bin broke off after 500 of 1000 bytes", await FailAsync(hub));
        Assert.Equal(["something/a.bin.part"], Files());

        (hub.Breaks, hub.IgnoresRange) = (0, false);
        hub.Requests.Clear();
        await DownloadAsync(hub);
        Assert.Equal(bytes, Bytes("a.bin"));
        Assert.Equal("bytes=500-", Assert.Single(hub.Requests).Range);
    }

    [Fact]
    public async Task Download_HubIgnoresRange_StartsAgain()
    {
        await using var hub = await FakeHub.StartAsync();
        var bytes = hub.Add(Repository, "a.bin");
        hub.IgnoresRange = true;
        Directory.CreateDirectory(At(""));
        File.WriteAllBytes(At("a.bin.part"), new byte[300]);
        await DownloadAsync(hub);
        Assert.Equal(bytes, Bytes("a.bin"));
    }

    [Theory]
    [InlineData(300)]
    [InlineData(1000)]
    [InlineData(5000)]
    public async Task Download_PartOfAnotherFile_IsNeverKept(int length)
    {
        await using var hub = await FakeHub.StartAsync();
        var bytes = hub.Add(Repository, "a.bin");
        Directory.CreateDirectory(At(""));
        File.WriteAllBytes(At("a.bin.part"), new byte[length]);
        if (length <= bytes.Length)
            Assert.Contains("wrong checksum", await FailAsync(hub));
        await DownloadAsync(hub);
        Assert.Equal(bytes, Bytes("a.bin"));
    }

    [Theory]
    [InlineData("a.bin")]
    [InlineData("b.json")]
    public async Task Download_WrongBytes_AreDeleted(string path)
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Add(Repository, path);
        hub.Alter = bytes => [.. bytes[..^1], (byte)~bytes[^1]];
        Assert.Contains($"{path} has a wrong checksum", await FailAsync(hub));
        Assert.Empty(Files());
    }

    [Fact]
    public async Task Download_LongerThanAnnounced_IsDeleted()
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Add(Repository, "a.bin");
        hub.Alter = bytes => [.. bytes, 1];
        Assert.Contains("a.bin is longer than the 1000 bytes", await FailAsync(hub));
        Assert.Empty(Files());
    }

    [Fact]
    public async Task Download_ShorterThanAnnounced_SaysHowMuchArrived()
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Add(Repository, "a.bin");
        (hub.IgnoresRange, hub.Alter) = (true, bytes => bytes[..700]);
        Assert.Contains("a.bin broke off after 700 of 1000 bytes", await FailAsync(hub));
        Assert.False(File.Exists(At("a.bin")));
    }

    [Theory]
    [InlineData(404, "is not on http")]
    [InlineData(401, "SAEUNBOX_HUB_TOKEN")]
    [InlineData(403, "SAEUNBOX_HUB_TOKEN")]
    [InlineData(429, "too many requests")]
    [InlineData(500, "answered 500")]
    public async Task Download_HubRefuses_SaysWhy(int status, string expected)
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Add(Repository, "a.bin");
        hub.ListStatus = status;
        Assert.Contains(expected, await FailAsync(hub));
        (hub.ListStatus, hub.Status) = (null, status);
        Assert.Contains(expected, await FailAsync(hub));
        Assert.Empty(Files());
    }

    [Theory]
    [InlineData("../a.json")]
    [InlineData("a/../../b.json")]
    [InlineData("/etc/a.json")]
    [InlineData("a//b.json")]
    [InlineData("a\\b.json")]
    [InlineData("a\nb.json")]
    public async Task Download_HostilePath_FetchesNothing(string path)
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Add(Repository, "good.json");
        hub.Add(Repository, path);
        Assert.Contains("would leave the folder", await FailAsync(hub));
        Assert.Empty(hub.Requests);
        Assert.Empty(Files());
    }

    [Theory]
    [InlineData("<html>Not a hub</html>")]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("""[{"type":"file","path":"a","oid":"x"}]""")]
    [InlineData("""[{"type":"file","path":"a","oid":"x","size":1.5}]""")]
    [InlineData("""[{"type":"file","path":"a","oid":"x","size":-1}]""")]
    [InlineData("""[{"type":"file","path":null,"oid":"x","size":1}]""")]
    public async Task Download_AnswerNotFromAHub_IsRefused(string list)
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Add(Repository, "a.bin");
        hub.List = list;
        Assert.Contains("does not answer like a model hub", await FailAsync(hub));
    }

    [Fact]
    public async Task Download_PagedList_ReadsEveryPage()
    {
        await using var hub = await FakeHub.StartAsync();
        for (var i = 0; i < 7; i++)
            hub.Add(Repository, $"{i}.json", 10 + i);
        hub.Pages = true;
        await DownloadAsync(hub);
        Assert.Equal(Enumerable.Range(0, 7).Select(i => $"something/{i}.json"), Files());
    }

    [Fact]
    public async Task Download_NextPageOnAnotherHost_IsNotFollowed()
    {
        await using var hub = await FakeHub.StartAsync();
        hub.Add(Repository, "a.bin");
        hub.NextPage = "http://127.0.0.1:1/stolen";
        Assert.Contains("does not answer like a model hub", await FailAsync(hub));
    }

    [Fact]
    public async Task Download_Cancelled_KeepsThePart()
    {
        await using var hub = await FakeHub.StartAsync();
        var bytes = hub.Add(Repository, "a.bin", 100_000);
        using var cancellation = new CancellationTokenSource();
        hub.Halfway = async () =>
        {
            while (!File.Exists(At("a.bin.part")) || new FileInfo(At("a.bin.part")).Length < bytes.Length / 2)
                await Task.Delay(5);
            await cancellation.CancelAsync();
        };
        var use = await Saeunbox.RunAsync(Words(hub), cancellation.Token);
        Assert.NotEqual(0, use.Code);
        Assert.Equal(["something/a.bin.part"], Files());
        Assert.Equal(bytes[..(bytes.Length / 2)], Bytes("a.bin.part"));
    }

    public void Dispose() => _folder.Dispose();

    private string At(string path) => _folder.At("something", path);

    private byte[] Bytes(string path) => File.ReadAllBytes(At(path));

    private IEnumerable<string> Files() => Directory.GetFiles(_folder.Path, "*", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(_folder.Path, path)).Order(StringComparer.Ordinal);

    private string[] Words(FakeHub hub, params string[] more) =>
        ["download", "--out", _folder.Path, "--host", hub.Address, "--repo", Repository, .. more];

    private Task<Use> DownloadAsync(FakeHub hub, params string[] more) => Saeunbox.SucceedAsync(Words(hub, more));

    private Task<string> FailAsync(FakeHub hub) => Saeunbox.FailAsync(Words(hub));
}
