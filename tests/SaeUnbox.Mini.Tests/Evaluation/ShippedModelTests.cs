using System.Text.Json;
using SaeUnbox.Mini.Evaluation;

namespace SaeUnbox.Mini.Tests.Evaluation;

/// <summary>The weights that ship, against the figures of their card, on scenes they never saw.</summary>
public sealed class ShippedModelTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "unbox-mini");

    [Fact]
    public void Weights_OnHeldOutScenes_ReachTheCardsFigures()
    {
        var card = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "figures.json"))).RootElement;

        var report = MiniEvaluation.Run(Path.Combine(Folder, "model"), Path.Combine(Folder, "saes"), new MiniEvaluationOptions { Seed = 77, Pictures = 24, Scenes = 1, LeastCorrelation = 2 });

        // Few pictures scatter: the card's figures come from many.
        Assert.InRange(report.Pictures.LatentError, 0, 1.35 * card.GetProperty("pictures").GetProperty("latentError").GetDouble());
        Assert.InRange(report.Pictures.Psnr, card.GetProperty("pictures").GetProperty("psnr").GetDouble() - 1.5, 60);
        foreach (var (site, expected) in report.Sites.Zip(card.GetProperty("sites").EnumerateArray()))
        {
            Assert.Equal(expected.GetProperty("site").GetString(), site.Site);
            Assert.InRange(site.ExplainedVariance, expected.GetProperty("explainedVariance").GetDouble() - .05, 1);
        }
    }

    [Theory]
    [InlineData("snow", .6)]
    [InlineData("sunset", .6)]
    [InlineData("tree", .6)]
    [InlineData("house", .6)]
    public void Painting_IntoUnrelatedScenes_BringsTheElement(string element, double least)
    {
        var report = MiniEvaluation.Run(Path.Combine(Folder, "model"), Path.Combine(Folder, "saes"), new MiniEvaluationOptions { Seed = 78, Pictures = 64, Scenes = 10, Elements = [element] });

        Assert.InRange(report.Steering.Max(figures => figures.Painted - figures.Before), least, 1);
        Assert.All(report.Steering, figures => Assert.InRange(figures.PaintedOutside, 0, .2));
    }

    [Fact]
    public void Card_OfPainting_HasTwelveElementsAndFourThingsOverTwoSites()
    {
        var painted = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "figures.json"))).RootElement.GetProperty("steering").EnumerateArray()
            .Select(one => (Element: one.GetProperty("element").GetString()!, Site: one.GetProperty("site").GetString()!, Gain: one.GetProperty("painted").GetDouble() - one.GetProperty("before").GetDouble()))
            .Where(one => one.Gain >= .75).ToArray();

        Assert.True(painted.Select(one => one.Element).Distinct().Count() >= 12, string.Join(", ", painted));
        Assert.True(painted.Select(one => one.Element).Distinct().Count(name => SteeringElement.All.Single(element => element.Name == name).Kind is not null) >= 4, string.Join(", ", painted));
        Assert.True(painted.Select(one => one.Site).Distinct().Count() >= 2);
    }

    [Fact]
    public void Files_TogetherAndAlone_AreSmall()
    {
        var files = Directory.GetFiles(Folder, "*", SearchOption.AllDirectories);

        Assert.InRange(files.Sum(file => new FileInfo(file).Length), 1, 20_000_000);
    }
}
