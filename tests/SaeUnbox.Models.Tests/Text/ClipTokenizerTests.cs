using System.Text.Json;
using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

public sealed class ClipTokenizerTests
{
    private static readonly JsonElement[] Texts = [.. Goldens.Json("tokens.json").GetProperty("texts").EnumerateArray()];

    // tokens.json holds only so many pieces of a long text.
    private static readonly int StoredPieces = Texts.Max(text => text.GetProperty("tokens_1").GetArrayLength());

    private static readonly ClipTokenizer[] WithFtfy = Both(TextCleaning.Ftfy), WithoutFtfy = Both(TextCleaning.Basic);

    public static TheoryData<int, TextCleaning> AllTexts()
    {
        var data = new TheoryData<int, TextCleaning>();
        for (var i = 0; i < Texts.Length; i++)
        {
            data.Add(i, TextCleaning.Ftfy);
            data.Add(i, TextCleaning.Basic);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(AllTexts))]
    public void Tokenize_GoldenText_GivesTheReferenceIds(int index, TextCleaning cleaning)
    {
        var golden = Texts[index];
        var text = golden.GetProperty("text").GetString()!;
        var isFtfy = cleaning == TextCleaning.Ftfy;
        var tokenizers = isFtfy ? WithFtfy : WithoutFtfy;

        for (var which = 1; which <= 2; which++)
        {
            var without = golden.GetProperty($"ids_{which}_without_ftfy");
            var isSame = without.ValueKind == JsonValueKind.Null;
            var expected = isFtfy || isSame ? golden.GetProperty($"ids_{which}") : without;
            var tokenized = tokenizers[which - 1].Tokenize(text);

            Assert.Equal(expected.EnumerateArray().Select(id => id.GetInt32()), tokenized.Ids);
            if (!isFtfy && !isSame)
                continue;
            Assert.Equal(golden.GetProperty($"length_{which}").GetInt32(), tokenized.Length);
            Assert.Equal(golden.GetProperty($"tokens_{which}").EnumerateArray().Select(t => t.GetString()),
                tokenized.Pieces.Take(StoredPieces));
        }
        Assert.Equal(golden.GetProperty(isFtfy ? "clean_with_ftfy" : "clean_without_ftfy").GetString(), tokenizers[0].Clean(text));
    }

    private static ClipTokenizer[] Both(TextCleaning cleaning) =>
    [
        ClipTokenizer.Load(Goldens.At("model", "tokenizer"), cleaning),
        ClipTokenizer.Load(Goldens.At("model", "tokenizer_2"), cleaning),
    ];
}
