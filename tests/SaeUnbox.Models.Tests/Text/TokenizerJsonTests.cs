using System.Text.Json;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

/// <summary>Folders with tokenizer.json alone, as transformers 5 saves them.</summary>
public sealed class TokenizerJsonTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData("tokenizer", true)]
    [InlineData("tokenizer", false)]
    [InlineData("tokenizer_2", true)]
    [InlineData("tokenizer_2", false)]
    public void Load_TokenizerJsonAlone_GivesTheSameIds(string name, bool pairs)
    {
        Write(_folder.Path, name, pairs);
        var (expected, actual) = (ClipTokenizer.Load(Goldens.At("model", name)), ClipTokenizer.Load(_folder.Path));
        Assert.Equal((expected.StartId, expected.EndId, expected.PadId, expected.MaxLength, expected.VocabularySize),
            (actual.StartId, actual.EndId, actual.PadId, actual.MaxLength, actual.VocabularySize));
        foreach (var text in Goldens
            .Json("tokens.json")
            .GetProperty("texts")
            .EnumerateArray()
            .Select(t => t.GetProperty("text").GetString()!))
            Assert.Equal(expected.Tokenize(text).Ids, actual.Tokenize(text).Ids);
        Prop.ForAll<NonNull<string>>(text => expected.Tokenize(text.Get).Ids.SequenceEqual(actual.Tokenize(text.Get).Ids))
            .QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Load_BothForms_PrefersVocabularyAndMerges()
    {
        Write(_folder.Path, "tokenizer", pairs: true);
        foreach (var file in (string[])["vocab.json", "merges.txt"])
            File.Copy(Goldens.At("model", "tokenizer", file), _folder.At(file));
        File.WriteAllText(_folder.At("tokenizer.json"), "not read");
        Assert.Equal(ClipTokenizer.Load(Goldens.At("model", "tokenizer")).Tokenize("a cat").Ids,
            ClipTokenizer.Load(_folder.Path).Tokenize("a cat").Ids);
    }

    [Theory]
    [InlineData("type", "\"Unigram\"", "not a tokenizer of CLIP")]
    [InlineData("end_of_word_suffix", "null", "end_of_word_suffix")]
    [InlineData("merges", """["a b c"]""", "merge 1")]
    [InlineData("merges", """[["a"]]""", "merge 1")]
    [InlineData("merges", """[["a", ""]]""", "merge 1")]
    [InlineData("merges", """[7]""", "not a JSON object of a tokenizer")]
    [InlineData("merges", "null", "not a JSON object of a tokenizer")]
    [InlineData("vocab", """{"a": -1}""", "the id of the token a")]
    [InlineData("vocab", "{}", "no tokens")]
    [InlineData("vocab", "[]", "not a JSON object of a tokenizer")]
    public void Load_OtherTokenizerJson_NamesFileAndReason(string key, string value, string reason)
    {
        Write(_folder.Path, "tokenizer", pairs: true, model => model[key] = JsonNode.Parse(value));
        var error = Assert.Throws<ModelException>(() => ClipTokenizer.Load(_folder.Path));
        Assert.Contains("tokenizer.json", error.Message);
        Assert.Contains(reason, error.Message);
    }

    [Fact]
    public void Load_FolderWithoutTokenizer_NamesBothForms()
    {
        var message = Assert.Throws<ModelException>(() => ClipTokenizer.Load(_folder.Path)).Message;
        Assert.Contains("vocab.json", message);
        Assert.Contains("tokenizer.json", message);
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Writes a golden tokenizer in the form of transformers 5.</summary>
    /// <param name="pairs">Merges as pairs instead of texts.</param>
    internal static void Write(string folder, string name, bool pairs, Action<JsonObject>? change = null)
    {
        var merges = File.ReadAllLines(Goldens.At("model", name, "merges.txt")).Skip(1).Where(line => line.Length > 0);
        var config = Goldens.Json("model", name, "tokenizer_config.json");
        var model = new JsonObject
        {
            ["type"] = "BPE",
            ["unk_token"] = "<|endoftext|>",
            ["continuing_subword_prefix"] = "",
            ["end_of_word_suffix"] = "</w>",
            ["vocab"] = JsonNode.Parse(File.ReadAllText(Goldens.At("model", name, "vocab.json"))),
            ["merges"] = new JsonArray([.. merges.Select(line => pairs
                ? new JsonArray([.. line.Split(' ').Select(piece => (JsonNode?)piece)])
                : (JsonNode?)line)]),
        };
        change?.Invoke(model);
        var added = config.GetProperty("added_tokens_decoder").EnumerateObject().Select(token => (JsonNode?)new JsonObject
        {
            ["id"] = int.Parse(token.Name),
            ["content"] = token.Value.GetProperty("content").GetString(),
        });
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"),
            new JsonObject { ["version"] = "1.0", ["added_tokens"] = new JsonArray([.. added]), ["model"] = model }.ToJsonString());
        var settings = JsonObject.Create(config)!;
        settings.Remove("added_tokens_decoder");
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), settings.ToJsonString(JsonSerializerOptions.Default));
    }
}
