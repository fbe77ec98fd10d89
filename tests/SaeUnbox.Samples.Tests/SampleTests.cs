using System.Globalization;
using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace SaeUnbox.Samples.Tests;

/// <summary>The samples do what they say.</summary>
public sealed partial class SampleTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <summary>Beside what a recorder of recipes keeps of the same run.</summary>
    [Fact]
    public async Task HookASite_GoldenModel_PrintsWhatTheSiteReadsAndAdds()
    {
        AssertTells(await SampleProgram.RunAsync("HookASite", "mid.0", Goldens.At("model")));
    }

    [Fact]
    public async Task PaintAFeature_ShippedModel_ChangesTheLowerHalfAndCarriesItsRecipe()
    {
        var file = _folder.At("painted.png");
        Assert.Equal([file], await SampleProgram.RunAsync("PaintAFeature", file));

        var png = File.ReadAllBytes(file);
        var (painted, recipe) = (Png.Decode(png), Recipe.FromJson(Png.FindText(png, Recipe.PngKeyword)!));
        using var model = LoadedModel.Load(new ModelOptions
        {
            Name = EmbeddedModel.Name,
            Folder = EmbeddedModel.ModelFolder,
            SaeFolder = EmbeddedModel.SaeFolder
        });
        using var runner = new RecipeRunner(model);
        Assert.Equal(runner.Run(recipe).Picture!.Pixels, painted.Pixels);
        var plain = runner.Run(recipe with { Edits = [] }).Picture!;
        var half = plain.Pixels.Length / 2;
        Assert.True(Change(plain.Pixels[half..], painted.Pixels[half..]) > 2 * Change(plain.Pixels[..half], painted.Pixels[..half]));
    }

    [Fact]
    public async Task TrainADictionary_FourCaptions_ExplainsThem()
    {
        var lines = await SampleProgram.RunAsync("TrainADictionary", _folder.Path);

        var said = Trained().Match(lines[^1]);
        Assert.True(said.Success, lines[^1]);
        Assert.InRange(double.Parse(said.Groups["variance"].Value, CultureInfo.InvariantCulture), 0.8, 1);
        using var sae = SaeLoader.Load(said.Groups["folder"].Value);
        Assert.StartsWith($"mid.0: 1024 vectors of {sae.Config.Width} channels", lines[0]);
    }

    public void Dispose() => _folder.Dispose();

    private static void AssertTells(string[] lines)
    {
        using var model = LoadedModel.Load(new ModelOptions { Folder = Goldens.At("model") });
        using var runner = new RecipeRunner(model);
        using var recorder = new RunRecorder([Site.Middle]);
        runner.Run(new Recipe { Model = "model", Prompt = "a boat at sea", Width = 512, Height = 512 },
            new RunRequest { Recorder = recorder, Picture = false });
        using var scope = NewDisposeScope();
        var (input, output) = (recorder["mid.0.input"][0], recorder["mid.0.output"][0]);
        Assert.Contains("mid.0", lines[0].Split(' '));
        AssertTells(lines[1], "reads", input);
        AssertTells(lines[2], "adds", output - input);
    }

    private static void AssertTells(string line, string what, Tensor x)
    {
        var said = Told().Match(line);
        Assert.True(said.Success, line);
        Assert.Equal((what, string.Join(", ", x.shape)), (said.Groups["what"].Value, said.Groups["shape"].Value));
        AssertNear(x.mean().item<float>(), said.Groups["mean"].Value);
        AssertNear(x.Square().mean().sqrt().item<float>(), said.Groups["rms"].Value);
    }

    // Printed with four digits; runs on other numbers of threads differ in the last ones.
    private static void AssertNear(double expected, string printed) =>
        Assert.Equal(expected, double.Parse(printed, CultureInfo.InvariantCulture), 1e-4 + 1e-4 * Math.Abs(expected));

    private static double Change(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other)
    {
        long sum = 0;
        for (var i = 0; i < one.Length; i++)
            sum += Math.Abs(one[i] - other[i]);
        return (double)sum / one.Length;
    }

    [GeneratedRegex(@"^mid\.0 (?<what>\w+) \[(?<shape>[\d, ]+)\]: mean (?<mean>\S+), root mean square (?<rms>\S+)$")]
    private static partial Regex Told();

    [GeneratedRegex(@"^(?<folder>.+): explained variance (?<variance>\S+), \d+ of 256 features dead$")]
    private static partial Regex Trained();
}
