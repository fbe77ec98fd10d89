using System.Text;
using SaeUnbox.Cli.Options;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests.Lab;

public sealed class CaptionFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData("a.txt", "\uFEFFa cat\r\n\n  a \"dog\", ü \n")]
    [InlineData("a.jsonl", "\"a cat\"\n\n{\"text\": \"a \\\"dog\\\", ü\", \"width\": 3}\n")]
    [InlineData("a.jsonl", "{\"caption\": \"a cat\"}\r\n{\"prompt\": \"a \\\"dog\\\", \\u00fc\"}")]
    [InlineData("a.json", "[\n \"a cat\",\n {\"text\": \"a \\\"dog\\\", ü\", \"seed\": null}\n]")]
    [InlineData("a.json", "{\"text\": \"a cat\"}\n\"a \\\"dog\\\", ü\"")]
    [InlineData("a.jsonl", "\uFEFF [\"a cat\", {\"prompt\": \"a \\\"dog\\\", ü\"}]")]
    [InlineData("a.tsv", "url\tcaption\nx\ta cat\n\t\"a \"\"dog\"\", ü\"\n")]
    [InlineData("a.tab", "\uFEFFTEXT\turl\na cat\tx\n\"a \"\"dog\"\", ü\"\n")]
    [InlineData("a.csv", "caption\tseed\na cat\t\n\"a \"\"dog\"\", ü\"\t\n")]
    [InlineData("a.csv", "url;\"caption\"\nx;a cat\n;\"a \"\"dog\"\", ü\"\n")]
    [InlineData("A.TSV", "text\na cat\n\"a \"\"dog\"\", ü\"")]
    [InlineData("names", "a cat\na \"dog\", ü")]
    [InlineData("a.csv", "url,caption\nx,a cat\n,\"a \"\"dog\"\", ü\"\n")]
    [InlineData("a.csv", "Caption\r\na cat\r\n\r\n\"a \"\"dog\"\", ü\"")]
    public void Read_AnyFormat_GivesCaptionsAndSeeds(string name, string text) =>
        Assert.Equal([new Caption("a cat", 7), new Caption("a \"dog\", ü", 8)], CaptionFile.Read(Write(name, text), 7, int.MaxValue));

    [Theory]
    [InlineData("a.jsonl", "{\"text\": \"a\", \"seed\": 5}\n{\"text\": \"b\"}")]
    [InlineData("a.csv", "seed,text\n5,a\n,b")]
    [InlineData("a.csv", "seed,text\n5.0,a\n,b")]
    [InlineData("a.tsv", "seed\ttext\n5.0\ta\n\tb")]
    [InlineData("a.json", "[{\"text\": \"a\", \"seed\": 5.0}, \"b\"]")]
    [InlineData("a.jsonl", "{\"text\": \"a\", \"seed\": \"5\"}\n{\"text\": \"b\", \"seed\": null}")]
    public void Read_SeedsGiven_AreUsed(string name, string text) =>
        Assert.Equal([new Caption("a", 5), new Caption("b", 101)], CaptionFile.Read(Write(name, text), 100, int.MaxValue));

    [Fact]
    public void Read_LineEndInsideQuotes_BelongsToTheCaption() =>
        Assert.Equal("a\nb, c", Assert.Single(CaptionFile.Read(Write("a.csv", "text\n\"a\nb, c\"\n"), 0, 10)).Text);

    [Fact]
    public void Read_Limit_IgnoresTheRest() =>
        Assert.Equal(2, CaptionFile.Read(Write("a.txt", "a\nb\nc\n"u8.ToArray(), [0xff, 0xfe, (byte)'\n']), 0, 2).Count);

    [Fact]
    public void Read_LinesLongerThanABuffer_AreWhole()
    {
        var long1 = new string('ü', 9_000);
        var text = string.Concat(Enumerable.Repeat(long1 + "\n", 20));
        Assert.All(CaptionFile.Read(Write("a.txt", text), 0, 100), caption => Assert.Equal(long1, caption.Text));
    }

    [Theory]
    [InlineData("a.txt", "", "contains no captions")]
    [InlineData("a.txt", " \n\n", "contains no captions")]
    [InlineData("a.csv", "url,title\nx,y", "line 1: the first line must name the columns")]
    [InlineData("a.csv", "text\n\"a\nb", "line 2: a quote is not closed")]
    [InlineData("a.csv", "text\n\"a\" b", "line 2: text follows a closing quote")]
    [InlineData("a.csv", "seed,text\n5", "line 2: 1 cells")]
    [InlineData("a.csv", "seed,text\n-5,a", "line 2: the seed")]
    [InlineData("a.jsonl", "\"a\"\n{\"text\": ", "line 2: not valid JSON")]
    [InlineData("a.csv", "seed,text\n\"7,5\",a", "line 2: the seed")]
    [InlineData("a.csv", "seed,text\n1e400,a", "line 2: the seed")]
    [InlineData("a.json", "[\"a\", 3]", "entry 2: expected a JSON string")]
    [InlineData("a.json", "[\"a\",\n", "line 2: the JSON array is not valid")]
    [InlineData("a.json", "[{\"text\": \"a\", \"seed\": true}]", "entry 1: the seed")]
    [InlineData("a.json", "[]", "contains no captions")]
    [InlineData("a.tsv", "url\ttitle\nx\ty", "line 1: the first line must name the columns")]
    [InlineData("a.tsv", "", "contains no captions")]
    [InlineData("a.parquet", "a", "captions are not read from .parquet files; use .txt, .json, .jsonl, .csv or .tsv")]
    [InlineData("a.txt", "caption\tseed\na house\t1", "line 1: these are a table's columns, not a caption; end the file's name in .tsv")]
    [InlineData("a.txt", "[\n {\"caption\": \"a\"}]", "line 1: this is JSON, not a caption; end the file's name in .json")]
    [InlineData("a.jsonl", "{\"title\": \"a\"}", "line 1: expected a JSON string")]
    [InlineData("a.jsonl", "{\"text\": \"a\", \"seed\": 1.5}", "line 1: the seed")]
    public void Read_UnusableLine_IsNamed(string name, string text, string expected) =>
        Assert.Contains(expected, Refused(Write(name, text)));

    [Fact]
    public void Read_BrokenUtf8_NamesTheLine() =>
        Assert.Contains("line 2: not valid UTF-8", Refused(Write("a.txt", "good\n"u8.ToArray(), [(byte)'a', 0xc3, (byte)'\n'])));

    [Fact]
    public void Read_NoLineEnds_IsRefusedBeforeItIsInMemory()
    {
        var path = _folder.At("huge.txt");
        using (var file = File.Create(path))
            file.SetLength(1L << 30); // holds nothing but zeros, and takes no room on the disk
        var before = GC.GetTotalAllocatedBytes();
        Assert.Contains("line 1: longer than", Refused(path));
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 50L << 20);
    }

    [Fact]
    public void Read_NoFile_SaysSo()
    {
        Assert.Contains("is missing", Refused(_folder.At("no.txt")));
        Assert.Contains("is a folder", Refused(_folder.Path));
    }

    public void Dispose() => _folder.Dispose();

    private static string Refused(string path) => Assert.Throws<CliException>(() => CaptionFile.Read(path, 0, int.MaxValue)).Message;

    private string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    private string Write(string name, params byte[][] parts)
    {
        File.WriteAllBytes(_folder.At(name), [.. parts.SelectMany(part => part)]);
        return _folder.At(name);
    }
}
