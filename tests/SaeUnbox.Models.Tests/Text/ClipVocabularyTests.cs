using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

public sealed class ClipVocabularyTests
{
    [Fact]
    public void Of_MergesOfATokenizer_GiveItsIds()
    {
        var folder = Goldens.At("model", "tokenizer");
        var files = ClipVocabulary.Of(ClipVocabulary.Merges(File.ReadAllText(Path.Combine(folder, "merges.txt"))));
        Assert.True(files.IsSameAs(TokenizerFiles.Read(folder)));
    }

    [Theory]
    [InlineData("tokenizer", 49407)]
    [InlineData("tokenizer_2", 0)]
    public void BuiltIn_Prompt_HasThePublishedIds(string part, int pad)
    {
        var tokenizer = ClipTokenizer.BuiltIn(part == "tokenizer_2");
        Assert.Equal(49408, tokenizer.VocabularySize);
        Assert.Equal(77, tokenizer.MaxLength);
        Assert.Equal([49406, 320, 1125, 539, 320, 2368, 49407, pad, pad], tokenizer.Tokenize("a photo of a cat").Ids.Take(9));
    }

    [Theory]
    [InlineData("tokenizer")]
    [InlineData("tokenizer_2")]
    public void Save_BuiltIn_ReadsBack(string part)
    {
        using var folder = new TemporaryFolder();
        ClipTokenizer.BuiltIn(part == "tokenizer_2").Save(folder.Path);
        Assert.True(ClipTokenizer.Load(folder.Path).IsSameAs(ClipTokenizer.BuiltIn(part == "tokenizer_2")));
    }

    [Fact]
    public void LoadFor_OneFolderForBoth_PadsTheSecondAsSdxlDoes()
    {
        var folder = Goldens.At("model", "tokenizer");
        Assert.True(ClipTokenizer.LoadFor("tokenizer", folder).IsSameAs(ClipTokenizer.Load(folder)));
        Assert.True(ClipTokenizer.LoadFor("tokenizer_2", folder).IsSameAs(ClipTokenizer.Load(Goldens.At("model", "tokenizer_2"))));
    }
}
