using SaeUnbox.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class ClipModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Dictionary<string, Tensor> _weights;

    public ClipModelTests() => _weights = TinyClip.Write(_folder.At("clip"));

    [Fact]
    public void EmbedTexts_AnyText_MatchesTheFormulas()
    {
        using var clip = Load();
        string[] texts = ["a red house on a hill", "", "boats at sea at night"];
        var tokenizer = ClipTokenizer.Load(_folder.At("clip"));
        var expected = stack([.. texts.Select(text => Unit(new NaiveClip(_weights).Text(tokenizer.Tokenize(text).Ids)))]);

        TensorAssert.Close(expected, clip.EmbedTexts(texts), 1e-4);
    }

    [Fact]
    public void EmbedPicture_OfTheTowersSize_MatchesTheFormulas()
    {
        using var clip = Load();
        var pixels = Noise(16, 16);
        var picture = tensor(pixels.Select(value => value / 255.0).ToArray()).view(16, 16, 3).permute(2, 0, 1);
        var (mean, deviation) =
            (tensor(new[] { .48145466, .4578275, .40821073 }).view(3, 1, 1), tensor(
                new[] { .26862954, .26130258, .27577711 }).view(3, 1, 1));
        var expected = Unit(new NaiveClip(_weights).Picture((picture - mean) / deviation));

        TensorAssert.Close(expected, clip.EmbedPicture(pixels, 16, 16), 1e-4);
        Assert.Equal([TinyClip.Projection], expected.shape);
    }

    [Fact]
    public void EmbedPicture_WiderThanHigh_UsesTheMiddle()
    {
        using var clip = Load();
        var (wide, middle) = (Noise(48, 16), new byte[16 * 16 * 3]);
        for (var row = 0; row < 16; row++)
            Array.Copy(wide, ((row * 48) + 16) * 3, middle, row * 16 * 3, 16 * 3);

        TensorAssert.Close(clip.EmbedPicture(middle, 16, 16), clip.EmbedPicture(wide, 48, 16), 1e-6);
    }

    [Fact]
    public void Scale_OfAFile_IsTheExponentOfItsNumber()
    {
        using var clip = Load();
        Assert.Equal(Math.Exp(_weights["logit_scale"].item<float>()), clip.Scale, 1e-5);
    }

    [Theory]
    [InlineData("vision_model.pre_layrnorm.bias")]
    [InlineData("logit_scale")]
    [InlineData("text_projection.weight")]
    public void Load_TensorAbsent_NamesIt(string missing)
    {
        Save(_weights.Where(pair => pair.Key != missing));
        Assert.Contains(missing, Assert.Throws<CheckpointException>(Load).Message);
    }

    [Fact]
    public void Load_ExtraTensor_NamesIt()
    {
        Save(_weights.Append(new("vision_model.pre_layernorm.bias", zeros(8))));
        Assert.Contains("vision_model.pre_layernorm.bias", Assert.Throws<CheckpointException>(Load).Message);
    }

    [Fact]
    public void Load_WithPositionIds_IgnoresThem()
    {
        Save(_weights.Append(new("vision_model.embeddings.position_ids", Arithmetic.Range(0, 5, ScalarType.Int64).unsqueeze(0)))
            .Append(new("text_model.embeddings.position_ids", Arithmetic.Range(0, 77, ScalarType.Int64).unsqueeze(0))));
        using var clip = Load();
        Assert.Equal(TinyClip.Projection, clip.EmbedText("a cat").Length);
    }

    [Theory]
    [InlineData("config.json", "\"projection_dim\": 6", "\"projection_dim\": 0", "projection_dim")]
    [InlineData("config.json", "\"model_type\": \"clip\"", "\"model_type\": \"siglip\"", "model_type")]
    [InlineData("config.json", "\"patch_size\": 8", "\"patch_size\": 5", "patch_size")]
    [InlineData("config.json", "\"vision_config\"", "\"other\"", "vision_config")]
    [InlineData("config.json", "\"vocab_size\": 714", "\"vocab_size\": 700", "vocab_size")]
    [InlineData("preprocessor_config.json", "\"crop_size\": 16", "\"crop_size\": {\"height\": 15}", "crop_size")]
    [InlineData("preprocessor_config.json", "\"size\": 16}", "\"size\": {\"shortest_edge\": 8}}", "size")]
    [InlineData("preprocessor_config.json", "\"resample\": 3", "\"resample\": 2", "resample")]
    [InlineData("preprocessor_config.json", "\"do_normalize\": true", "\"do_normalize\": false", "do_normalize")]
    [InlineData("preprocessor_config.json", "0.26862954", "0", "image_std")]
    public void Load_BadValue_NamesFileAndKey(string file, string good, string bad, string named)
    {
        var path = _folder.At("clip", file);
        File.WriteAllText(path, File.ReadAllText(path).Replace(good, bad));
        var message = Assert.Throws<ModelException>(Load).Message;
        Assert.StartsWith(_folder.At("clip"), message);
        Assert.Contains(named, message);
    }

    [Theory]
    [InlineData("preprocessor_config.json")]
    [InlineData("vocab.json")]
    public void Load_WithoutAFile_NamesIt(string file)
    {
        File.Delete(_folder.At("clip", file));
        Assert.Contains(file, Assert.Throws<ModelException>(Load).Message);
    }

    [Theory]
    [InlineData(16, 15)]
    [InlineData(0, 0)]
    [InlineData(16, 1 << 20)]
    public void EmbedPicture_Invalid_SaysWhy(int width, int height)
    {
        using var clip = Load();
        Assert.Contains($"{width} x {height}",
            Assert.Throws<ModelException>(() => clip.EmbedPicture(new byte[height > 15 ? width * height * 3 : 16 * 16 * 3], width,
                height)).Message);
    }

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    private ClipModel Load() => ClipModel.Load(_folder.At("clip"));

    private void Save(IEnumerable<KeyValuePair<string, Tensor>> weights) =>
        SafetensorsWriter.Write(_folder.At("clip", "model.safetensors"), weights.ToArray());

    private static Tensor Unit(Tensor vector) => vector / (vector * vector).sum().sqrt();

    private static byte[] Noise(int width, int height)
    {
        var pixels = new byte[width * height * 3];
        new Random(3).NextBytes(pixels);
        return pixels;
    }
}
