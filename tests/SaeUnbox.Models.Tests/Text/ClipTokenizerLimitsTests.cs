using FsCheck;
using FsCheck.Fluent;
using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

/// <summary>What the golden texts do not show: truncation, hostile texts, broken folders.</summary>
public sealed class ClipTokenizerLimitsTests
{
    private const int Hostile = 24_000;

    private static readonly ClipTokenizer First = ClipTokenizer.Load(Goldens.At("model", "tokenizer"));
    private static readonly ClipTokenizer Second = ClipTokenizer.Load(Goldens.At("model", "tokenizer_2"));
    private static readonly ClipTokenizer SecondBasic = ClipTokenizer.Load(Goldens.At("model", "tokenizer_2"), TextCleaning.Basic);

    [Fact]
    public void Tokenize_LongPrompt_NamesTheWordsThatWereIgnored()
    {
        // Punctuation one word each, so that it is known which ones do not fit.
        var words = Enumerable.Repeat("?", First.MaxLength - 2).Concat(["7", "é", "8"]);
        var tokenized = First.Tokenize(string.Join(' ', words));
        Assert.True(tokenized.IsTruncated);
        Assert.Equal(First.MaxLength, tokenized.Ids.Count);
        Assert.Equal(First.EndId, tokenized.Ids[^1]);
        Assert.Equal("7 é 8", tokenized.Ignored);
        Assert.Equal($"The prompt is longer than {First.MaxLength} tokens ({tokenized.Length}); these words were ignored: 7 é 8",
            tokenized.Warning);
    }

    [Fact]
    public void Tokenize_PromptThatFits_IgnoresNothing()
    {
        var tokenized = First.Tokenize(string.Join(' ', Enumerable.Repeat("?", First.MaxLength - 2)));
        Assert.Equal(First.MaxLength, tokenized.Length);
        Assert.Equal("", tokenized.Ignored);
        Assert.Null(tokenized.Warning);
    }

    public static TheoryData<string, string> HostileTexts() => new()
    {
        { "one word", new string('a', Hostile) },
        { "words", string.Concat(Enumerable.Repeat("dog ", Hostile / 4)) },
        { "pad tokens", new string('!', Hostile) },
        { "marks", string.Concat(Enumerable.Repeat("?;", Hostile / 2)) },
        { "capital sigmas", new string('Σ', Hostile) },
        { "sigmas with apostrophes", string.Concat(Enumerable.Repeat("Σ'", Hostile / 2)) },
        { "combining marks", "e" + string.Concat(Enumerable.Repeat("\u0301\u0316", Hostile / 2)) },
        { "high surrogates", new string('\uD83D', Hostile) },
        { "halves of pairs", string.Concat(Enumerable.Repeat("\uDC36\uD83D", Hostile / 2)) },
        { "references within references", "&" + string.Concat(Enumerable.Repeat("amp;", Hostile / 4)) },
        { "references that uncover others", string.Concat(Enumerable.Repeat("&#", Hostile / 4)
            .Concat(Enumerable.Repeat("1;", Hostile / 4))) },
        { "ampersands", new string('&', Hostile) },
        { "terminal escapes", string.Concat(Enumerable.Repeat("\x1B[", Hostile / 2)) },
        { "one long escape", "\x1B[" + new string('1', Hostile) },
        { "mojibake", string.Concat(Enumerable.Repeat("Ã©", Hostile / 2)) },
        { "mojibake with letters of no page", string.Concat(Enumerable.Repeat("Ã©中", Hostile / 3)) },
        { "mojibake of mojibake", string.Concat(Enumerable.Repeat("ÃƒÂ©中", Hostile / 5)) },
        { "lost bytes", string.Concat(Enumerable.Repeat("â€\uFFFD", Hostile / 3)) },
        { "ideographs", new string('中', Hostile) },
        { "letters beyond the first plane", string.Concat(Enumerable.Repeat("𝒥", Hostile / 2)) },
        { "controls", new string('\0', Hostile) },
        { "line feeds", string.Concat(Enumerable.Repeat("é\n", Hostile / 2)) },
    };

    // A bound on work, not a timing: quadratic work on any of these would take minutes.
    [Theory]
    [MemberData(nameof(HostileTexts), DisableDiscoveryEnumeration = true)]
    public void Tokenize_LongHostileText_GivesIds(string kind, string text)
    {
        Assert.NotEmpty(kind);
        foreach (var tokenizer in new[] { Second, SecondBasic })
        {
            var tokenized = tokenizer.Tokenize(text);
            Assert.Equal(Second.MaxLength, tokenized.Ids.Count);
            Assert.Equal(Second.StartId, tokenized.Ids[0]);
        }
    }

    [Fact]
    public void Tokenize_HundredThousandCharacters_UsesTheFirst()
    {
        var tokenized = First.Tokenize(string.Concat(Enumerable.Repeat("? ", 50_000)));
        Assert.Equal(50_002, tokenized.Length);
        Assert.Equal(100_000 - 2 * (First.MaxLength - 2) - 1, tokenized.Ignored.Length);
    }

    [Fact]
    public void Tokenize_AnyText_GivesIdsOfTheVocabulary()
    {
        // Characters that mean something to one of the steps, among any others.
        var telling = Gen.Elements(
            "Ã", "©", "â", "€", "™", "&", "amp;", "#233;", "<", "\uFFFD", "\uD83D", "\uDE00", "Σ", "İ", "ſ", "'", " ", "\n", "\u0301",
            "中", "!");
        var any = ArbMap.Default.GeneratorFor<char>().Select(c => c.ToString());
        var texts = Gen.OneOf(telling, any).ArrayOf().Select(string.Concat).ToArbitrary();
        Prop.ForAll(texts, text =>
        {
            var tokenized = Second.Tokenize(text);
            return tokenized.Ids.Count == Second.MaxLength
                && tokenized.Ids.All(id => id >= 0 && id < Second.VocabularySize)
                && tokenized.Length == tokenized.Pieces.Count + 2
                && tokenized.IsTruncated == tokenized.Ignored.Length > 0;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Load_FolderWithoutConfiguration_TakesSpecialTokensFromTheMap()
    {
        using var folder = new TemporaryFolder();
        foreach (var name in new[] { "vocab.json", "merges.txt", "special_tokens_map.json" })
            File.Copy(Goldens.At("model", "tokenizer_2", name), folder.At(name));
        const string text = "two red cats!!! <|endoftext|>";
        var expected = Second.Tokenize(text);
        var tokenized = ClipTokenizer.Load(folder.Path).Tokenize(text);
        Assert.Equal(expected.Ids.Take(tokenized.Length), tokenized.Ids.Take(tokenized.Length));
        Assert.Equal(Second.PadId, ClipTokenizer.Load(folder.Path).PadId);
    }

    [Fact]
    public void Load_VocabularyWithoutTheSpecialTokens_NamesOne()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("vocab.json"), "{\"a\": 0}");
        File.WriteAllText(folder.At("merges.txt"), "#version: 0.2\n");
        var error = Assert.Throws<ModelException>(() => ClipTokenizer.Load(folder.Path));
        Assert.Equal($"{folder.At("vocab.json")} lacks the special token <|startoftext|>.", error.Message);
    }

    [Theory]
    [InlineData("vocab.json", null, "is missing")]
    [InlineData("vocab.json", "[]", "is not a JSON object")]
    [InlineData("vocab.json", "{\"a\": -1}", "the id of the token a")]
    [InlineData("merges.txt", null, "is missing")]
    [InlineData("merges.txt", "#version: 0.2\na b\na b c\n", "line 3")]
    [InlineData("tokenizer_config.json", "{", "is not valid JSON")]
    [InlineData("tokenizer_config.json", "{\"model_max_length\": 1}", "model_max_length")]
    [InlineData("tokenizer_config.json", "{\"pad_token\": 3}", "pad_token")]
    [InlineData("tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": \"!\"}}", "added_tokens_decoder")]
    public void Load_BrokenFile_NamesItAndSaysWhy(string file, string? content, string why)
    {
        using var folder = new TemporaryFolder();
        foreach (var path in Directory.GetFiles(Goldens.At("model", "tokenizer")))
            File.Copy(path, folder.At(Path.GetFileName(path)));
        File.Delete(folder.At(file));
        if (content is not null)
            File.WriteAllText(folder.At(file), content);
        var error = Assert.Throws<ModelException>(() => ClipTokenizer.Load(folder.Path));
        Assert.Contains(file, error.Message);
        Assert.Contains(why, error.Message);
    }
}
