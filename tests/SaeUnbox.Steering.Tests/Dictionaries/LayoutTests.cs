using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

/// <summary>The same numbers in every layout give the same codes, reconstructions and pixels.</summary>
public sealed class LayoutTests(GoldenModel model) : IClassFixture<GoldenModel>
{
    private static readonly Site Place = Site.Named[0];

    public static TheoryData<string> Layouts() => WrittenLayouts.Names();

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Load_SameNumbers_GivesTheSameCodesAndReconstruction(string layout)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var numbers = DictionaryNumbers.Random(features: 64, width: 16, k: 5, seed: 3);
        WrittenLayouts.Write(layout, folder.Path, numbers);
        using var sae = SaeLoader.Load(folder.Path);
        var x = randn([3, 7, 16], generator: new Generator(4));

        using var codes = sae.Encode(x);
        var (top, where) = nn.functional.linear(x - numbers.Bias, numbers.Encoder, numbers.LatentBias).relu().topk(5);
        Assert.Equal(5, sae.K);
        TensorAssert.Close(zeros([3, 7, 64]).scatter(-1, where, top), codes.ToDense(), 1e-5, "codes");
        TensorAssert.Close(matmul(codes.ToDense(), numbers.Directions).Plus(numbers.Bias), sae.Decode(codes), 1e-5, "reconstruction");
        TensorAssert.Same(numbers.Directions, sae.Dictionary);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Run_SameNumbers_PaintsTheSamePixels(string layout)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var loaded = model.For("turbo1");
        var expected = Paint(loaded);

        var golden = (SparseAutoencoder)loaded.Saes[Place];
        var own = folder.At("unet." + Place.ModulePath["unet.".Length..]);
        WrittenLayouts.Write(layout, own, DictionaryNumbers.Of(golden));
        SaeWriter.SaveScale(golden.Scale!, own);
        using var other = LoadedModel.Load(GoldenModel.Options("turbo1") with { SaeFolder = folder.Path });
        Assert.Equal([Place], other.Saes.Keys);
        Assert.Equal(expected, Paint(other));
        Assert.NotEqual(expected, Paint(other, edited: false));
    }

    [Fact]
    public void Load_Overcomplete_ScalesItsDirectionsAndAsksForK()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var numbers = DictionaryNumbers.Random(64, 16, 5, seed: 3);
        WrittenLayouts.WriteOvercomplete(folder.Path, numbers, multiplier: 0.5);
        var error = Assert.Throws<SaeException>(() => SaeLoader.Load(folder.Path));
        Assert.Contains("--sae-k", error.Message);

        using var sae = SaeLoader.Load(folder.Path, k: 5);
        var x = randn([7, 16], generator: new Generator(4));
        using var codes = sae.Encode(x);
        var (top, where) = nn.functional.linear(x, numbers.Encoder, numbers.LatentBias).relu().topk(5);
        var dense = zeros([7, 64]).scatter(-1, where, top);
        TensorAssert.Close(dense, codes.ToDense(), 1e-5, "codes");
        TensorAssert.Close(matmul(dense, numbers.Directions.Times(Math.Exp(0.5))), sae.Decode(codes), 1e-4, "reconstruction");
    }

    [Theory]
    [InlineData("up_blocks.1.attentions.1", "up.1.1")]
    [InlineData("unet.up_blocks.1.attentions.1", "up.1.1")]
    [InlineData("down.2.1", "down.2.1")]
    public void Find_FolderNamedByHookPoint_IsItsSite(string name, string site)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        WrittenLayouts.Write("sparsify", folder.At("checkpoints", name), DictionaryNumbers.Random(8, 4, 2, seed: 1));
        Assert.Equal([Site.Parse(site)], SaeSet.Find(folder.Path).Keys);
        Assert.Equal([Site.Parse(site)], SaeSet.Find(folder.At("checkpoints", name)).Keys);
    }

    [Theory]
    [InlineData("""{"architecture": "topk", "k": 2, "metadata": {"hook_name": "unet.up_blocks.1.attentions.1"}}""")]
    [InlineData("""{"architecture": "topk", "k": 2, "hook_name": "up_blocks.1.attentions.1"}""")]
    [InlineData("""{"architecture": "topk", "k": 2, "hook_point": "up.1.1"}""")]
    public void Find_SiteInTheConfiguration_IsRead(string json)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        WrittenLayouts.Write("SAELens 6", folder.At("release", "run-7"), DictionaryNumbers.Random(8, 4, 2, seed: 1));
        File.WriteAllText(folder.At("release", "run-7", "cfg.json"), json);
        using var set = SaeSet.Load(folder.Path);
        Assert.Equal([Site.Parse("up.1.1")], set.Keys);
    }

    [Fact]
    public void Find_FilesNamedBySite_HaveTheirOwnMeans()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        foreach (var name in new[] { "down.2.1", "mid.0" })
        {
            WrittenLayouts.Write("goodfire", folder.At("made"), DictionaryNumbers.Random(8, 4, 2, seed: 1));
            File.Move(folder.At("made", "sae.pt"), folder.At(name + ".pt"));
        }

        SaeWriter.SaveScale(new ActivationScale([.. Enumerable.Repeat(2f, 8)], null), folder.At("mid.0.pt"));
        using var set = SaeSet.Load(folder.Path, k: 2);
        Assert.Null(set[Site.Parse("down.2.1")].Scale);
        Assert.Equal(2, set[Site.Middle].MeanOf(3));
    }

    [Fact]
    public void Find_NoDictionary_SaysWhatIsThere()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("notes.txt"), "");
        var error = Assert.Throws<SaeException>(() => SaeSet.Find(folder.Path));
        Assert.Contains("it holds notes.txt", error.Message);
        Assert.Contains("up_blocks.1.attentions.1", error.Message);
    }

    [Fact]
    public void MeanOf_NoMeanFile_NamesTheCommandToRun()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        WrittenLayouts.Write("sparsify", folder.Path, DictionaryNumbers.Random(8, 4, 2, seed: 1));
        using var sae = SaeLoader.Load(folder.Path);
        Assert.Contains("saeunbox statistics --write-scale", Assert.Throws<SaeException>(() => sae.MeanOf(0)).Message);
    }

    [Fact]
    public void Load_TranscoderWithSkip_IsRefused()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        WrittenLayouts.Safetensors(folder.Path, "sae.safetensors", new()
        {
            ["encoder.weight"] = zeros([8, 4]),
            ["encoder.bias"] = zeros([8]),
            ["W_dec"] = zeros([8, 4]),
            ["b_dec"] = zeros([4]),
            ["W_skip"] = zeros([4, 4]),
        }, "cfg.json", """{"d_in": 4, "k": 2, "transcode": true}""");
        Assert.Contains("W_skip", Assert.Throws<SaeException>(() => SaeLoader.Load(folder.Path)).Message);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Load_TruncatedAnywhere_IsOneSentence(string layout)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        WrittenLayouts.Write(layout, folder.Path, DictionaryNumbers.Random(8, 4, 2, seed: 1));
        var random = new Random(5);
        foreach (var path in Directory.GetFiles(folder.Path))
        {
            var whole = File.ReadAllBytes(path);
            for (var attempt = 0; attempt < 12; attempt++)
            {
                File.WriteAllBytes(path, whole[..random.Next(whole.Length)]);
                AssertOneSentence(folder.Path);
            }

            File.WriteAllBytes(path, whole);
        }

        SaeLoader.Load(folder.Path).Dispose();
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Load_ConfigurationOfAnotherSize_IsOneSentence(string layout)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        WrittenLayouts.Write(layout, folder.Path, DictionaryNumbers.Random(8, 4, 2, seed: 1));
        var config = Directory.GetFiles(folder.Path, "*.json").Single();
        var text = File.ReadAllText(config);
        foreach (var (right, wrong) in new[] { (": 4", ": 5"), (": 8", ": 9") })
        {
            File.WriteAllText(config, text.Replace(right, wrong).Replace(right.Replace(" ", ""), wrong.Replace(" ", "")));
            if (File.ReadAllText(config) != text)
                AssertOneSentence(folder.Path);
        }
    }

    private static void AssertOneSentence(string folder)
    {
        var error = Record.Exception(() => SaeLoader.Load(folder).Dispose());
        Assert.True(error is SaeException or CheckpointException, $"{error}");
        Assert.EndsWith(".", error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    private byte[] Paint(LoadedModel loaded, bool edited = true)
    {
        using var runner = new RecipeRunner(loaded);
        var recipe = model.Recipe("turbo1");
        var edits = edited ? new[] { new FeatureEdit(Place, 3, 6), new FeatureEdit(Place, 5, -1) { Mode = EditMode.Scale } } : [];
        return runner.Run(recipe with { Model = loaded.Info.Name, Saes = null, Edits = [.. edits] },
            new RunRequest()).Picture!.Pixels.ToArray();
    }
}
