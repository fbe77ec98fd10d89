namespace SaeUnbox.Models.Tests;

/// <summary>Cases of ftfy 6.3 and of Unicode that the golden texts lack; the results are ftfy's.</summary>
public sealed class TextRepairTests
{
    [Theory]
    [InlineData("âœ” No problems", "✔ No problems")]
    [InlineData("&macr;\\_(ã\u0083\u0084)_/&macr;", "¯\\_(ツ)_/¯")]
    [InlineData("Ã  la mode, voilÃ le travail", "à la mode, voilà le travail")]
    [InlineData("â€œ like this â€\uFFFD", "\" like this \uFFFD")]
    [InlineData("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет")]
    [InlineData("РїСЂРёРІРµС‚", "привет")]
    [InlineData("í\u00A0½í¸\u0080", "😀")] // surrogates encoded one by one
    [InlineData("P&EACUTE;REZ BUNDESSTRA&SZLIG;E &nTILDE;", "PÉREZ BUNDESSTRASSE &nTILDE;")]
    [InlineData("&#x41;&#0;&#150;&#xD800;&#59;&#1;&#12x;", "A\uFFFD–\uFFFD&#59;&#12x;")]
    [InlineData("&Jscr;ohn &NotEqualTilde;", "𝒥ohn ≂̸")]
    [InlineData("&lt;b&gt;\n<b>\n&lt;", "<b>\n<b>\n&lt;")]
    [InlineData("\x1B[36;44mblue\x1B[0m", "blue")]
    [InlineData("ｱﾞﾊﾟ Ａ　ﾡￃ￣￦", "ア\u3099パ A 개 \u0304₩")]
    [InlineData("Łódź, Ångström, 50 ÷ 2 = 25°", "Łódź, Ångström, 50 ÷ 2 = 25°")]
    public void Fix_Text_IsRepaired(string text, string expected) => Assert.Equal(CanonicalForm.Compose(expected), TextRepair.Fix(text));

    [Theory]
    [InlineData("ΟΔΥΣΣΕΥΣ Σ ΑΣ' ΑΣ'Α", "οδυσσευς σ ας' ασ'α")]
    [InlineData("İIẞKÅ𝒥𐐀Ⅷ", "i\u0307ißkå𝒥𐐨ⅷ")]
    public void ToLower_Text_FollowsUnicode(string text, string expected) => Assert.Equal(expected, LetterCase.ToLower(text));

    [Theory]
    [InlineData("e\u0301", "é")]
    [InlineData("\u1100\u1161\u11A8", "각")]
    [InlineData("\uAC00\u11A8", "각")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307")]
    [InlineData("a\u0315\u0300\u05AE\u0301b", "à\u05AE\u0301\u0315b")]
    [InlineData("\u212B\u2126\u0340\u0958", "ÅῺ\u0915\u093C")] // singletons, and one that is never composed
    [InlineData("\u0301\u0065\u0302\u0301", "\u0301\u1EBF")]
    [InlineData("\U0001D15E \U00011099\U000110BA", "\U0001D157\U0001D165 \U0001109A")]
    [InlineData("e\u0301\uFFFEe\u0301\uFFFE", "é\uFFFEé\uFFFE")] // not a character
    public void Compose_Text_IsInFormC(string text, string expected) => Assert.Equal(expected, CanonicalForm.Compose(text));

    [Theory]
    [InlineData("it's 42, 𝒥𝟎x?!", new[] { "it", "'s", "4", "2", ",", "𝒥", "𝟎", "x", "?!" })]
    [InlineData("'ſo <|endoftext|>'ll", new[] { "'ſ", "o", "<|endoftext|>", "'ll" })]
    public void Split_Text_GivesWords(string text, string[] expected) => Assert.Equal(expected, WordSplitter.Split(text));

    [Fact]
    public void Split_PairCreatedByAHigherRank_WaitsForAllJoinsOfThatRank()
    {
        // "xa b" becomes "xab" only after every "a b" was joined, though its rank is lower.
        var pairs = new BytePairs([("ab", "ab</w>"), ("x", "ab"), ("a", "b"), ("a", "b</w>")]);
        Assert.Equal(["xab", "ab</w>"], pairs.Split("xabab"));
        Assert.Equal(["ab", "q", "xab", "ab", "c</w>"], pairs.Split("abqxababc"));
    }
}
