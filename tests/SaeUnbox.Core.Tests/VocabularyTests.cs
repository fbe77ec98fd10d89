namespace SaeUnbox.Core.Tests;

public sealed class VocabularyTests
{
    private static readonly Vocabulary Few = Vocabulary.Parse(
        ["a", "red", "house: home villa Haus", "mushroom", "boat: ship vessel", "sailboat: ship", "meadow", ""]);

    [Fact]
    public void UnknownIn_KnownWordsInAnyCase_FindsNone() => Assert.Empty(Few.UnknownIn("A red House, of MEADOW"));

    [Theory]
    [InlineData("a red car", "car", "")]
    [InlineData("ein Haus", "ein|Haus", "|house")]
    [InlineData("ship, ship", "ship", "boat sailboat")]
    [InlineData("a muhsroom", "muhsroom", "mushroom")]
    [InlineData("a rod", "rod", "")]
    [InlineData("rde houze", "rde|houze", "red|house")]
    [InlineData("Ｈäuser", "Ｈäuser", "")]
    public void UnknownIn_AnUnknownWord_NamesWhatMayBeMeant(string prompt, string words, string instead)
    {
        var unknown = Few.UnknownIn(prompt);

        Assert.Equal(words, string.Join('|', unknown.Select(one => one.Word)));
        Assert.Equal(instead, string.Join('|', unknown.Select(one => string.Join(' ', one.Instead))));
    }

    [Theory]
    [InlineData("a red m", "meadow mushroom")]
    [InlineData("a red ", "")]
    [InlineData("a red house", "")]
    [InlineData("a shi", "boat sailboat")]
    [InlineData("x", "")]
    [InlineData("", "")]
    public void Completions_OfTheLastWord_AreKnownWords(string prompt, string words) =>
        Assert.Equal(words, string.Join(' ', Few.Completions(prompt)));

    [Fact]
    public void CompleteAndReplace_ChangeOnlyTheirWord()
    {
        Assert.Equal("a red mushroom ", Vocabulary.Complete("a red m", "mushroom"));
        Assert.Equal("a boat, a boat and shipping", Vocabulary.Replace("a ship, a Ship and shipping", "ship", "boat"));
    }
}
