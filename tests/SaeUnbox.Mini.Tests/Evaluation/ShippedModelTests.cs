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

    [Fact]
    public void Files_TogetherAndAlone_AreSmall()
    {
        var files = Directory.GetFiles(Folder, "*", SearchOption.AllDirectories);

        Assert.InRange(files.Sum(file => new FileInfo(file).Length), 1, 20_000_000);
    }
}
