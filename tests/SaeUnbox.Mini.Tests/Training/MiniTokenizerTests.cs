using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Training;

namespace SaeUnbox.Mini.Tests.Training;

public sealed class MiniTokenizerTests : IDisposable
{
    private readonly string _folder = Tiny.Folder();
    private readonly MiniTokenizer _files = MiniTokenizer.OfGrammar();
    private readonly ClipTokenizer _tokenizer;

    public MiniTokenizerTests()
    {
        _files.Write(_folder, MiniTokenizer.FirstPad);
        _tokenizer = ClipTokenizer.Load(_folder);
    }

    [Fact]
    public void Tokenize_EveryWordOfTheGrammar_IsOneToken()
    {
        var words = CaptionGrammar.Phrases.SelectMany(phrase => phrase.Split(' ')).Distinct().ToArray();

        Assert.All(words, word => Assert.Equal(3, _tokenizer.Tokenize(word).Length));
        Assert.Equal(words.Length, words.Select(word => _tokenizer.Tokenize(word).Ids[1]).Distinct().Count());
    }

    [Fact]
    public void Tokenize_OtherWord_IsSplit()
    {
        var tokens = _tokenizer.Tokenize("a zebra in the Snow");

        Assert.True(tokens.Length > 7);
        Assert.Contains(_tokenizer.Tokenize("snow").Ids[1], tokens.Ids);
    }

    [Fact]
    public void Tokenize_Caption_StartsEndsAndPadsAsConfigured()
    {
        var ids = _tokenizer.Tokenize("cats").Ids;

        Assert.Equal(77, ids.Count);
        Assert.Equal(_files.StartId, ids[0]);
        Assert.All(ids.Skip(2), id => Assert.Equal(_files.EndId, id));
        Assert.Equal(_files.Count, _tokenizer.VocabularySize);
    }

    public void Dispose() => Directory.Delete(_folder, true);
}
