using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests.Atlases;

public sealed class AtlasEmbeddingTests : IDisposable
{
    private static readonly byte[][] Colours = [[250, 20, 20], [20, 250, 20], [20, 20, 250]];
    private readonly TemporaryFolder _folder = new();
    private readonly ClipModel _clip;

    public AtlasEmbeddingTests()
    {
        using (NewDisposeScope())
            TinyClip.Write(_folder.At("clip"));
        _clip = ClipModel.Load(_folder.At("clip"));
        AtlasWriter.Write(_folder.At(AtlasReader.FileName), new("tiny",
            [Feature(0, 0), Feature(1, 0, 1), Feature(2, 2), Feature(3)], [.. Colours.Select(
                colour => new AtlasImage("", null, 24, 16, OneColour(colour)))], [], []));
    }

    [Fact]
    public void Search_AfterAdd_RanksByTheCosineOfMeanEmbeddings()
    {
        AtlasEmbedding.Add(_folder.Path, _clip);
        using var scope = NewDisposeScope();
        var pictures = Colours
            .Select(colour => Jpeg.Decode(OneColour(colour)))
            .Select(picture => _clip.EmbedPicture(picture.Pixels, 24, 16))
            .ToArray();
        var words = _clip.EmbedTexts("something that nobody wrote")[0];
        var mixed = pictures[0].Plus(pictures[1]);
        double[] cosines = [Cosine(pictures[0]), Cosine(mixed / mixed.norm()), Cosine(pictures[2])];

        var hits = AtlasReader.Open(_folder.Path, new ClipTextEmbedder(_clip)).Search(new() { Text = "something that nobody wrote" });

        Assert.Equal(Enumerable.Range(0, 3).OrderByDescending(feature => cosines[feature]), hits.Hits.Select(hit => hit.Card.Feature));

        double Cosine(Tensor vector) => (vector * words).sum().item<float>();
    }

    [Fact]
    public void Add_Cancelled_LeavesTheAtlasAsItWas()
    {
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => AtlasEmbedding.Add(_folder.Path, _clip, (done, _) => cancellation.Cancel(),
            cancellation.Token));
        Assert.False(AtlasReader.Open(_folder.Path, new ClipTextEmbedder(_clip)).HasEmbeddings);
    }

    public void Dispose()
    {
        _clip.Dispose();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Dispose();
    }

    private static AtlasFeature Feature(int number, params int[] pictures) => new(new(Site.Middle, number, pictures.Length, 0, .5), 1,
        null, [],
        [.. pictures.Select(picture => new AtlasTop(picture, 1, null))], [], null, null);

    private static byte[] OneColour(byte[] colour) =>
        Jpeg.Encode(new Picture(24, 16, 3, [.. Enumerable.Repeat(colour, 24 * 16).SelectMany(pixel => pixel)]), 90);
}
