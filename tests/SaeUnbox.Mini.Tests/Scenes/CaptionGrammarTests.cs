using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Tests.Scenes;

public sealed class CaptionGrammarTests
{
    private static readonly string[] Night = ["at night", "under the moon", "under the stars"];

    [Fact]
    public void Vocabulary_ThatShips_HasTheWordsOfTheGrammar()
    {
        var file = Path.Combine(AppContext.BaseDirectory, "unbox-mini", "atlas", "vocabulary.txt");
        var words = CaptionGrammar.Phrases.SelectMany(phrase => phrase.Split(' ')).Where(word => word.All(char.IsLetter)).Distinct();

        Assert.Equal(words.Order(StringComparer.Ordinal), Vocabulary.Parse(File.ReadLines(file)).Words);
    }

    [Fact]
    public void Compose_FactsOffTheDefault_AreAlwaysNamed()
    {
        var facts = new SceneFacts
        {
            Time = SceneTime.Night,
            Ground = SceneGround.Sea,
            Far = SceneFar.City,
            Style = SceneStyle.Mosaic,
            Things =
                [new(ThingKind.House, ThingColor.Red), new(ThingKind.Cactus)],
            Plural = true,
            SkyThings = [new(ThingKind.Balloon, ThingColor.Blue)],
        };

        for (var seed = 0; seed < 50; seed++)
        {
            var caption = CaptionGrammar.Compose(facts, new Random(seed));

            Assert.Contains(Night, caption.Contains);
            Assert.Contains(["at sea", "on water", "on the sea"], caption.Contains);
            Assert.Contains("city", caption);
            Assert.Contains("mosaic", caption);
            Assert.Contains(["red houses and cacti", "red cottages and cacti"], caption.Contains);
            Assert.Contains(["blue balloons", "blue hot air balloons"], caption.Contains);
        }
    }

    [Fact]
    public void Compose_DefaultFacts_AreNamedInHalfTheCaptions()
    {
        var captions = Enumerable.Range(0, 400).Select(seed => CaptionGrammar.Compose(new SceneFacts(), new Random(seed))).ToArray();

        Assert.InRange(captions.Count(caption => caption.Contains("hills")), 150, 250);
        Assert.DoesNotContain(captions, caption => Night.Any(caption.Contains) || caption.Contains("mosaic") || caption.Contains("house"));
    }

    [Fact]
    public void Names_OfACaption_AreWhatItNames()
    {
        foreach (var seed in Enumerable.Range(0, 300))
        {
            var (facts, plain) = (Some.Facts(seed), CaptionGrammar.Compose(new SceneFacts(), new Random(seed)));
            var caption = CaptionGrammar.Compose(facts, new Random(seed));

            Assert.True(facts.Time == SceneTime.Day || CaptionGrammar.Names(caption, "time"), caption);
            Assert.True(facts.Ground == SceneGround.Grass || CaptionGrammar.Names(caption, "ground"), caption);
            Assert.Equal(facts.Style != SceneStyle.Plain, CaptionGrammar.Names(caption, "style"));
            Assert.Equal(plain.Contains("hills"), CaptionGrammar.Names(plain, "far"));
            Assert.Equal(plain.Contains("day"), CaptionGrammar.Names(plain, "time"));
        }
    }

    [Fact]
    public void Compose_AnyFacts_UsesOnlyWordsOfTheGrammar()
    {
        var words = CaptionGrammar.Phrases.SelectMany(phrase => phrase.Split(' ')).ToHashSet();

        for (var seed = 0; seed < 300; seed++)
            foreach (var word in CaptionGrammar
                .Compose(Some.Facts(seed), new Random(seed))
                .Replace(",", "")
                .Split(' ', StringSplitOptions.RemoveEmptyEntries))
                Assert.Contains(word, words);
    }
}
