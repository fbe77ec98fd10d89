namespace SaeUnbox.Lab.Tests;

public class WordScoresTests
{
    [Fact]
    public void Best_FeatureActiveInSnow_IsNamedSnow()
    {
        var scores = new WordScores();
        var captions = Enumerable
            .Range(0, 200)
            .Select(i => (Number: scores.Add(i % 5 == 0 ? "a house on snow" : "a house on grass"), IsSnow: i % 5 == 0))
            .ToArray();

        var words = scores.Best([.. captions.Where(one => one.IsSnow).Select(one => (one.Number, 1.0))], 3);

        Assert.Equal("snow", words[0]);
        Assert.DoesNotContain("house", words);
    }

    [Fact]
    public void Best_StrongPictures_OutweighWeakOnes()
    {
        var scores = new WordScores();
        var captions = Enumerable.Range(0, 300).Select(i => scores.Add(i % 3 == 0 ? "cats" : i % 3 == 1 ? "boats" : "trees")).ToArray();

        var words = scores.Best([.. captions.Take(60).Select((caption, i) => (caption, i % 3 == 1 ? 5.0 : .1))], 1);

        Assert.Equal(["boats"], words);
    }

    [Fact]
    public void Best_RelatedPair_HasNoRepeatedWord()
    {
        var scores = new WordScores();
        var captions = Enumerable
            .Range(0, 120)
            .Select(i => scores.Add(i % 4 == 0 ? "a pine tree at dawn" : $"a tree number {i}"))
            .ToArray();

        var words = scores.Best([.. captions.Where((_, i) => i % 4 == 0).Select(caption => (caption, 1.0))], 4);

        Assert.NotEmpty(words);
        Assert.All(words,
            word => Assert.DoesNotContain(words,
                other => other != word && (other.Split(' ').Contains(word) || word.Split(' ').Contains(other))));
    }

    [Fact]
    public void Best_SingleWord_HasTheScoreOfTheFormula()
    {
        // 40 captions, 10 with "moon" and 30 with "star"; the feature is active in the 10. Terms: moon 10, star 30.
        var scores = new WordScores();
        var moons = Enumerable.Range(0, 10).Select(_ => (scores.Add("moon"), 1.0)).ToArray();
        for (var i = 0; i < 30; i++)
            scores.Add("star");
        // prior 20 x 1/4 = 5; log(15 / (10 + 20 - 15 + 1)) - log(15 / (40 + 20 - 15 + 1)) = 1.056; over sqrt(2/15) = 2.89: above the least
        // of 1.6.
        Assert.Equal(["moon"], scores.Best(moons, 5));

        // Active everywhere alike, it tells nothing.
        Assert.Empty(scores.Best([.. Enumerable.Range(0, 40).Select(caption => (caption, 1.0))], 5));
    }

    [Fact]
    public void Best_NeverActive_IsEmpty()
    {
        var scores = new WordScores();
        scores.Add("a boat");

        Assert.Empty(scores.Best([], 3));
        Assert.Empty(scores.Best([(0, 0.0)], 3));
    }
}
