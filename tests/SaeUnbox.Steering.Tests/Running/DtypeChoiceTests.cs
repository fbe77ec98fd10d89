using System.Globalization;
using System.Text.Json.Nodes;
using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Steering.Tests;

public sealed class DtypeChoiceTests
{
    [Theory]
    [InlineData(DeviceType.CUDA, false, false, Dtype.Fp16)]
    [InlineData(DeviceType.CUDA, true, true, Dtype.Fp16)]
    [InlineData(DeviceType.CPU, true, false, Dtype.Bf16)]
    [InlineData(DeviceType.CPU, false, false, Dtype.Fp32)]
    [InlineData(DeviceType.CPU, true, true, Dtype.Int8)]
    [InlineData(DeviceType.CPU, false, true, Dtype.Int8)]
    public void Fastest_DeviceAndItsUnits_GivesTheFormat(DeviceType device, bool bf16, bool int8, Dtype expected) =>
        Assert.Equal(expected, DtypeChoices.Fastest(device, bf16, int8));

    [Theory]
    [InlineData("512, 768, 1280", Dtype.Int8)]
    [InlineData("384, 576, 960", Dtype.Bf16)]
    public void Sized_WidthOfTheModel_DecidesTheFormat(string channels, Dtype expected)
    {
        using var folder = new TemporaryFolder();
        foreach (var file in Directory.EnumerateFiles(Goldens.At("model"), "*", SearchOption.AllDirectories))
        {
            var copy = folder.At(Path.GetRelativePath(Goldens.At("model"), file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        var config = folder.At("unet/config.json");
        var json = JsonNode.Parse(File.ReadAllText(config))!;
        json["block_out_channels"] = JsonNode.Parse($"[{channels}]");
        File.WriteAllText(config, json.ToJsonString());
        var options = new ModelOptions { Folder = folder.Path, Dtype = Dtype.Bf16, LargeDtype = Dtype.Int8 };

        Assert.Equal(expected, options.Sized().Dtype);
        Assert.Null(options.Sized().LargeDtype);
    }

    [Fact]
    public void Load_EmbeddedModelByAuto_IsNotInInt8()
    {
        using var model = LoadedModel.Load(new ModelOptions { Folder = EmbeddedModel.ModelFolder }.On("cpu", DtypeChoice.Auto));

        Assert.Equal(DtypeChoice.Auto.On(torch.CPU), model.Dtype);
        Assert.NotEqual(Dtype.Int8, model.Dtype);
    }

    [Theory]
    [InlineData(DtypeChoice.Fp32, Dtype.Fp32)]
    [InlineData(DtypeChoice.Bf16, Dtype.Bf16)]
    [InlineData(DtypeChoice.Fp16, Dtype.Fp16)]
    [InlineData(DtypeChoice.Int8, Dtype.Int8)]
    public void On_NamedFormat_IsKeptOnAnyDevice(DtypeChoice choice, Dtype expected) => Assert.Equal(expected, choice.On(torch.CPU));

    // Single pictures differ more: a thing on the edge of being drawn may come or go.
    [Theory]
    [InlineData(Dtype.Bf16, 40, 40)]
    [InlineData(Dtype.Int8, 35, 25)]
    public void Run_EmbeddedModelInOtherFormat_IsCloseToFp32(Dtype dtype, double mean, double least)
    {
        string[] prompts = [
            "a red house and a pine tree on snow at sunset",
            "a blue boat on the sea at night",
            "three birds over green hills at noon",
            "a yellow tent by a lake"
        ];
        using var exact = Load(Dtype.Fp32);
        using var fast = Load(dtype);
        using var exactRunner = new RecipeRunner(exact);
        using var fastRunner = new RecipeRunner(fast);
        var ratios = new List<double>();
        for (var number = 0; number < 20; number++)
        {
            var recipe = exact.Info.NewRecipe($"{prompts[number % prompts.Length]}, {number}") with { Seed = 1000 + number };
            var site = exact.Info.Sites[number % exact.Info.Sites.Count];
            foreach (var made in new[]
            {
                recipe,
                recipe with { Edits = [new(site.Site, 7 * number % site.Features, 4) { Mode = EditMode.Add }] }
            })
                ratios.Add(Decibels(exactRunner.Run(made).Picture!.Pixels, fastRunner.Run(made).Picture!.Pixels));
        }

        Assert.True(ratios.Average() >= mean && ratios.Min() >= least,
            $"PSNR of {string.Join(", ", ratios.Order().Select(ratio => ratio.ToString("0.0", CultureInfo.InvariantCulture)))} dB");
    }

    private static LoadedModel Load(Dtype dtype) => LoadedModel.Load(new ModelOptions
    {
        Name = EmbeddedModel.Name,
        Folder = EmbeddedModel.ModelFolder,
        SaeFolder = EmbeddedModel.SaeFolder,
        Dtype = dtype,
        Threads = 1,
    });

    // 10 log10(255^2 / mean square of the differences).
    private static double Decibels(ReadOnlySpan<byte> exact, ReadOnlySpan<byte> other)
    {
        var sum = 0.0;
        for (var i = 0; i < exact.Length; i++)
            sum += Math.Pow(exact[i] - other[i], 2);
        return 10 * Math.Log10(255.0 * 255 * exact.Length / sum);
    }
}
