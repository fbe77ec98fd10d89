using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Tests.Training;

public sealed class UnknownWordsTests : IDisposable
{
    private readonly string _folder = Tiny.Folder();

    [Fact]
    public void Silence_UnknownWords_ReadAsPaddingAndCaptionsAsBefore()
    {
        var vocabulary = MiniTokenizer.OfGrammar();
        MiniConfigurations.Write(_folder, Tiny.Options, vocabulary.Count, vocabulary.StartId, vocabulary.EndId);
        vocabulary.Write(Path.Combine(_folder, "tokenizer"), MiniTokenizer.FirstPad);
        vocabulary.Write(Path.Combine(_folder, "tokenizer_2"), MiniTokenizer.SecondPad);
        ClipTokenizer[] tokenizers = [Load("tokenizer"), Load("tokenizer_2")];
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var network = new MiniNetwork(_folder, 1, CPU);
        var (caption, unknown) = (Encode(Words("a red house at night, mountains")), Encode(Words("drxz кот")));

        UnknownWords.Silence(network, tokenizers[0], tokenizers[1]);

        Assert.True(Encode(Words("a red house at night, mountains")).allclose(caption, 0, 0));
        Assert.False(Encode(Words("drxz кот")).allclose(unknown));
        Assert.True(Encode(Words("drxz кот")).allclose(Encode(Padding("drxz кот")), 0, 0));

        ClipTokenizer Load(string part) => ClipTokenizer.Load(Path.Combine(_folder, part));

        IReadOnlyList<int>[] Words(string text) => [.. tokenizers.Select(tokenizer => tokenizer.Tokenize(text).Ids)];

        // As many pads before the end.
        IReadOnlyList<int>[] Padding(string text) => [.. tokenizers.Select(tokenizer =>
        {
            var (ids, end) = (tokenizer.Tokenize(text).Ids, tokenizer.EndId);
            var length = ids.ToList().IndexOf(end);
            return (IReadOnlyList<int>)[ids[0], .. Enumerable.Repeat(tokenizer.PadId, length - 1), .. ids.Skip(length)];
        })];

        Tensor Encode(IReadOnlyList<int>[] ids) => network.Encode([ids[0]], [ids[1]]).Hidden;
    }

    public void Dispose() => Directory.Delete(_folder, true);
}
