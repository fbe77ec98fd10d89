using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>A model whose converted weights are kept, loaded again: its images stay the same bit for bit.</summary>
public sealed class WeightCacheTests : IDisposable
{
    private const int Networks = 4;

    private static readonly ImageRequest Request = new() { Prompts = ["a cat"], Seeds = [1], Steps = 1, Height = 64, Width = 64 };

    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _notes = [];

    private string Cache => _folder.At("cache");

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.Int8)]
    public void Load_SecondTime_GivesTheSameImageFromTheKeptFiles(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var plain = Image(Goldens.At("model"), dtype);
        TensorAssert.Same(plain, Image(Goldens.At("model"), dtype, Cache));
        var written = Contents();
        Assert.Equal(Networks, written.Count);
        TensorAssert.Same(plain, Image(Goldens.At("model"), dtype, Cache));
        Assert.Equal(written, Contents());
        Assert.Empty(_notes);
    }

    [Fact]
    public void Load_SecondTime_MapsTheFilesUntilItIsDisposed()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Linux lists the files that a process maps.");
        using (Load(Goldens.At("model"), ScalarType.BFloat16, Cache))
            Assert.Equal(0, Mapped());
        using (Load(Goldens.At("model"), ScalarType.BFloat16, Cache))
            Assert.Equal(Networks, Mapped());
        Assert.Equal(0, Mapped());
    }

    [Fact]
    public void Load_SecondTime_ReportsTheWholeProgress()
    {
        Load(Goldens.At("model"), ScalarType.BFloat16, Cache).Dispose();
        var shares = new List<double>();
        DiffusionPipeline.Load(Goldens.At("model"), new()
        {
            DType = ScalarType.BFloat16,
            CacheFolder = Cache,
            Progress = shares.Add
        }).Dispose();
        Assert.Equal(1, shares[^1], 1e-9);
    }

    [Fact]
    public void Load_OtherFormat_KeepsFilesOfItsOwn()
    {
        using var scope = NewDisposeScope();
        foreach (var dtype in (ScalarType[])[ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float32])
            TensorAssert.Same(Image(Goldens.At("model"), dtype), Image(Goldens.At("model"), dtype, Cache));
        Assert.Equal(2 * Networks, Contents().Count);
        Assert.Empty(_notes);
    }

    [Theory]
    [InlineData("seal")]
    [InlineData("values")]
    [InlineData("cut")]
    [InlineData("longer")]
    [InlineData("another network")]
    [InlineData("empty")]
    [InlineData("text")]
    public void Load_DamagedFiles_AreWrittenAnewWithANote(string damage)
    {
        using var scope = NewDisposeScope();
        var plain = Image(Goldens.At("model"), ScalarType.BFloat16, Cache);
        var written = Contents();
        var paths = written.Keys.ToArray();
        foreach (var (path, bytes) in written)
            File.WriteAllBytes(path, Damage(damage, [.. bytes], written[paths[(Array.IndexOf(paths, path) + 1) % paths.Length]]));
        TensorAssert.Same(plain, Image(Goldens.At("model"), ScalarType.BFloat16, Cache));
        Assert.Equal(written, Contents());
        // A file that cannot be one of these is not worth a note.
        var noted = damage is "empty" or "text" ? 0 : Networks;
        Assert.Equal(noted, _notes.Count(note => note.Contains("out of date or damaged") && paths.Any(note.Contains)));
    }

    [Fact]
    public void Load_ChangedModel_IsNoticed()
    {
        using var scope = NewDisposeScope();
        var model = _folder.At("model");
        ModelCopy.To(model);
        Load(model, ScalarType.BFloat16, Cache).Dispose();
        var weights = Path.Combine(model, "unet", "diffusion_pytorch_model.safetensors");
        var (bytes, written) = (File.ReadAllBytes(weights), File.GetLastWriteTimeUtc(weights));
        bytes.AsSpan(^4096..).Clear();
        File.WriteAllBytes(weights, bytes);
        File.SetLastWriteTimeUtc(weights, written);
        TensorAssert.Same(Image(model, ScalarType.BFloat16), Image(model, ScalarType.BFloat16, Cache));
        Assert.Single(_notes);
        Assert.Equal(Networks, Contents().Count);
    }

    [Fact]
    public void Load_Loras_AreKeptWithTheirScales()
    {
        using var scope = NewDisposeScope();
        var path = _folder.At("lora.safetensors");
        WrittenLora.Write(path, "peft", WrittenLora.Middle);
        LoraFile[][] choices = [[], [new(path, 1)], [new(path, 2)]];
        for (var time = 0; time < 2; time++)
            foreach (var loras in choices)
                TensorAssert.Same(
                    Image(Goldens.At("model"), ScalarType.Float32, null, loras),
                    Image(Goldens.At("model"), ScalarType.Float32, Cache, loras));
        Assert.DoesNotContain(_notes, note => note.Contains("out of date"));
    }

    [Fact]
    public void Load_SeveralAtOnce_WriteWholeFiles()
    {
        using var plain = Load(Goldens.At("model"), ScalarType.BFloat16, null);
        var models = new DiffusionPipeline[4];
        Parallel.For(0, models.Length, i => models[i] = Load(Goldens.At("model"), ScalarType.BFloat16, Cache));
        using var scope = NewDisposeScope();
        using var again = Load(Goldens.At("model"), ScalarType.BFloat16, Cache);
        foreach (var model in models.Append(again))
            TensorAssert.Same(plain.Generate(Request).Images, model.Generate(Request).Images);
        foreach (var model in models)
            model.Dispose();
        Assert.Equal(Networks, Directory.GetFiles(Cache).Length);
        Assert.Empty(_notes);
    }

    [Fact]
    public void Load_FolderThatCannotBeMade_NotesItOnceAndRuns()
    {
        using var scope = NewDisposeScope();
        File.WriteAllText(Cache, "a file");
        TensorAssert.Same(Image(Goldens.At("model"), ScalarType.Float32), Image(Goldens.At("model"), ScalarType.Float32, Cache));
        Assert.Contains($"are not kept in '{Cache}'", Assert.Single(_notes));
    }

    [Fact]
    public void Load_FilesThatAStoppedProgramLeft_AreRemovedAfterADay()
    {
        Directory.CreateDirectory(Cache);
        string[] left = [.. new[] { "old", "new" }.Select(name => Path.Combine(Cache, $".{name}.partial"))];
        foreach (var path in left)
            File.WriteAllText(path, "half");
        File.SetLastWriteTimeUtc(left[0], DateTime.UtcNow.AddDays(-2));
        Load(Goldens.At("model"), ScalarType.Float32, Cache).Dispose();
        Assert.Equal([false, true], left.Select(File.Exists));
    }

    [Fact]
    public void Load_MappedWeightsThatAreChanged_LeaveTheFileAsItIs()
    {
        using var scope = NewDisposeScope();
        var precision = Precision.For(ScalarType.Float32, CPU) with { Cache = new WeightCache(Cache, [], _notes.Add) };
        using var source = Checkpoint.OpenFolder(Goldens.At("model", "unet"));
        var config = UNetConfig.From(JsonConfig.Load(Goldens.At("model", "unet", "config.json")));
        precision.Load(source, weights => new UNet(weights, config)).Weights.Dispose();
        var written = Contents();
        using var mapped = precision.Load(source, weights => new UNet(weights, config)).Weights;
        using (no_grad())
            foreach (var leaf in mapped.Leaves)
                leaf.Fill(3);
        Assert.Equal(3, mapped.Leaves[0].flatten()[0].item<float>());
        Assert.Equal(written, Contents());
    }

    public void Dispose() => _folder.Dispose();

    private DiffusionPipeline Load(string model, ScalarType dtype, string? cache, params LoraFile[] loras) =>
        DiffusionPipeline.Load(model, new()
        {
            DType = dtype,
            CacheFolder = cache,
            Loras = loras,
            Note = note =>
            {
                lock (_notes)
                    _notes.Add(note);
            },
        });

    private Tensor Image(string model, ScalarType dtype, string? cache = null, params LoraFile[] loras)
    {
        using var pipeline = Load(model, dtype, cache, loras);
        return pipeline.Generate(Request).Images;
    }

    private SortedDictionary<string, byte[]> Contents() =>
        new(Directory.GetFiles(Cache).ToDictionary(path => path, File.ReadAllBytes), StringComparer.Ordinal);

    private int Mapped() => File.ReadLines("/proc/self/maps").Where(line => line.Contains(Cache)).Select(line => line.Split(' ')[^1])
        .Distinct().Count();

    private static byte[] Damage(string damage, byte[] bytes, byte[] another)
    {
        switch (damage)
        {
            case "seal":
                bytes[3] ^= 1;
                return bytes;
            case "values":
                bytes[100] ^= 1;
                return bytes;
            case "cut":
                return bytes[..^64];
            case "longer":
                return [.. bytes, .. new byte[64]];
            case "another network":
                return another;
            case "empty":
                return [];
            default:
                return "no weights"u8.ToArray();
        }
    }
}
