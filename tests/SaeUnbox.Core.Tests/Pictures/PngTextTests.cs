using System.Text;

namespace SaeUnbox.Core.Tests;

public class PngTextTests
{
    private const string Keyword = "saeunbox.recipe";

    private static readonly Picture Pixel = new(1, 1, 3, [1, 2, 3]);

    [Theory]
    [InlineData("")]
    [InlineData("{\"prompt\":\"a dog\"}")]
    [InlineData("naïve 日本語 👩‍🚀\n")]
    public void FindText_OfAnEncodedPicture_GivesTheText(string text)
    {
        var file = Png.Encode(Pixel, new Dictionary<string, string> { ["Software"] = "SaeUnbox", [Keyword] = text });

        Assert.Equal(text, Png.FindText(file, Keyword));
        Assert.Equal("SaeUnbox", Png.FindText(file, "Software"));
        Assert.Null(Png.FindText(file, "Comment"));
        PictureSamples.AssertSame(Pixel, Png.Decode(file));
    }

    [Fact]
    public void FindText_OtherKindsOfTextChunk_AreRead()
    {
        var file = PngFactory.File(
            ("tEXt", Bytes("plain\0", "caf\u00e9")),
            ("zTXt", [.. Bytes("packed\0\0"), .. PngFactory.Pack(Encoding.Latin1.GetBytes("caf\u00e9"))]),
            ("iTXt", [.. Bytes("both\0\u0001\0en\0beide\0"), .. PngFactory.Pack(Encoding.UTF8.GetBytes("日本"))]));

        Assert.Equal("café", Png.FindText(file, "plain"));
        Assert.Equal("café", Png.FindText(file, "packed"));
        Assert.Equal("日本", Png.FindText(file, "both"));
    }

    [Theory]
    [InlineData("tEXt", "no end")]
    [InlineData("zTXt", "key\0")]
    [InlineData("zTXt", "key\0\0not deflate")]
    [InlineData("iTXt", "key\0")]
    [InlineData("iTXt", "key\0\0")]
    [InlineData("iTXt", "key\0\0\0")]
    [InlineData("iTXt", "key\0\0\0en")]
    [InlineData("iTXt", "key\0\u0001\0\0\0not deflate")]
    public void FindText_BrokenTextChunk_IsRefused(string type, string data)
    {
        var file = PngFactory.File((type, Bytes(data)));

        Assert.Throws<PictureException>(() => Png.FindText(file, "key"));
    }

    [Fact]
    public void FindText_TextBomb_IsRefused()
    {
        var file = PngFactory.File(("zTXt", [.. Bytes("key\0\0"), .. PngFactory.Pack(new byte[20_000_000])]));

        Assert.InRange(file.Length, 1, 100_000);
        Assert.Contains("more than", Assert.Throws<PictureException>(() => Png.FindText(file, "key")).Message);
    }

    [Fact]
    public void FindText_NoPng_IsRefused()
    {
        Assert.Throws<PictureException>(() => Png.FindText([0xFF, 0xD8, 0xFF], Keyword));
        Assert.Throws<ArgumentException>(() => Png.Encode(Pixel, new Dictionary<string, string> { ["ключ"] = "" }));
    }

    private static byte[] Bytes(params string[] parts) => Encoding.Latin1.GetBytes(string.Concat(parts));
}
