using System.Text.Json;
using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Tests.Evaluation;

public sealed class MiniSuggestionsTests
{
    private const string Paint = "Paint ";
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "unbox-mini");

    [Fact]
    public void Shipped_Suggestions_StartWithoutTheirElement()
    {
        var painted = Shipped().Where(entry => entry.Title.StartsWith(Paint, StringComparison.Ordinal)).ToArray();

        Assert.True(painted.Length >= 20);
        foreach (var (title, recipe) in painted)
        {
            var facts = MiniSuggestions.Prompts.Single(prompt => prompt.Text == recipe.Prompt).Facts;
            var labels = SceneLabels.Of(SceneRenderer.Render(CaptionedScene.SceneOf(facts, recipe.Seed), 256));
            var element = SteeringElement.All.Single(one => one.Name == title[Paint.Length..]);
            const int cells = CellMask.Side * CellMask.Side;
            Assert.True(labels.AsSpan(element.Label * cells, cells).IndexOf((byte)1) < 0, $"{recipe.Prompt} shows {element.Name} already");
        }
    }

    [Fact]
    public void Shipped_Suggestions_PaintTheShippedConcepts()
    {
        using var expected = JsonDocument.Parse(MiniSuggestions.Of(AtlasReader.Open(Path.Combine(Folder, "atlas")).Concepts));

        Assert.Equal(
            expected.RootElement.EnumerateArray()
                .Select(entry =>
                    (entry.GetProperty("title").GetString()!, Recipe.FromJson(entry.GetProperty("recipe").GetRawText()).ToJson())),
            Shipped().Select(entry => (entry.Title, entry.Recipe.ToJson())));
    }

    [Fact]
    public void Unrelated_OfEveryElement_IsAPrompt() =>
        Assert.All(MiniEvaluation.Elements, element => Assert.NotEmpty(MiniSuggestions.Unrelated(element, 0)));

    [Fact]
    public void Prompts_All_MatchTheirFacts() =>
        Assert.All(MiniSuggestions.Prompts,
            prompt => Assert.Contains(prompt.Text,
                Enumerable.Range(0, 20_000).Select(seed => CaptionGrammar.Compose(prompt.Facts, new Random(seed)))));

    private static IReadOnlyList<Suggestion> Shipped() => AtlasReader.Open(Path.Combine(Folder, "atlas")).Suggestions;
}
