using System.Buffers.Binary;
using System.Text;

namespace SaeUnbox.Models.Tests;

public sealed class ElfVersionsTests
{
    [Fact]
    public void Needed_LibraryThatTheBuildPrepared_HasOneWeakVersion()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux's library is prepared");
        var library = Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", "libLibTorchSharp.so");
        var needed = new ElfVersions(File.ReadAllBytes(library)).Needed().ToList();
        Assert.Equal(["GLIBCXX_3.4.32"], needed.Where(version => version.IsWeak).Select(version => version.Name));
        Assert.Contains(("GLIBC_2.34", false), needed);
    }

    [Fact]
    public void MarkWeak_VersionWithoutRelocation_SetsItsFlagAlone()
    {
        var before = Library(relocated: 1);
        var after = before.ToArray();
        Assert.True(new ElfVersions(after).MarkWeak("NEW_2"));

        Assert.Equal([("OLD_1", false), ("NEW_2", true)], new ElfVersions(after).Needed());
        Assert.Single(before.Zip(after), pair => pair.First != pair.Second);
        Assert.False(new ElfVersions(after).MarkWeak("NEW_2"));
    }

    [Fact]
    public void MarkWeak_VersionThatARelocationUses_LeavesTheFileAlone()
    {
        var file = Library(relocated: 2);
        Assert.False(new ElfVersions(file).MarkWeak("NEW_2"));
        Assert.Equal(Library(relocated: 2), file);
    }

    [Fact]
    public void MarkWeak_VersionThatIsNotNeeded_LeavesTheFileAlone() => Assert.False(new ElfVersions(Library(1)).MarkWeak("OTHER_3"));

    [Fact]
    public void Needed_DamagedFiles_ReturnOrNameTheFault()
    {
        var random = new Random(1);
        for (var round = 0; round < 2000; round++)
        {
            var file = Library(1);
            for (var change = 0; change < 3; change++)
                file[random.Next(file.Length)] = (byte)random.Next(256);
            if (round % 2 == 0)
                Array.Resize(ref file, random.Next(file.Length));
            try
            {
                // A cyclic list of versions must not loop forever.
                _ = new ElfVersions(file).Needed().Take(1000).Count();
            }
            catch (FormatException)
            {
                // The expected error.
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("MZ is Windows")]
    public void New_OtherFiles_AreRefused(string text) =>
        Assert.Throws<FormatException>(() => new ElfVersions(Encoding.ASCII.GetBytes(text)));

    /// <summary>A minimal library with two symbols, of versions OLD_1 and NEW_2, and a relocation of one of them.</summary>
    private static byte[] Library(int relocated)
    {
        const int names = 64, versions = 96, symbolVersions = 160, symbols = 176, relocations = 256, table = 288, sections = 6;
        var file = new byte[table + sections * 64];
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1 }.CopyTo(file, 0);
        Write(40, table, 8);
        Write(58, 64, 2);
        Write(60, sections, 2);
        Encoding.ASCII.GetBytes("\0OLD_1\0NEW_2\0").CopyTo(file, names);
        // One library with two versions: a Verneed entry, then two Vernaux entries.
        Write(versions + 2, 2, 2);
        Write(versions + 8, 16, 4);
        foreach (var (i, name) in new[] { (0, 1), (1, 7) })
        {
            var at = versions + 16 + i * 16;
            Write(at + 6, i + 2, 2);
            Write(at + 8, name, 4);
            Write(at + 12, i == 0 ? 16 : 0, 4);
        }
        Write(symbolVersions + 2, 2, 2);
        Write(symbolVersions + 4, 3, 2);
        Write(relocations + 12, relocated, 4);
        Section(1, type: 3, names, 32, link: 0);
        Section(2, type: 0x6ffffffe, versions, 48, link: 1);
        Section(3, type: 0x6fffffff, symbolVersions, 6, link: 4);
        Section(4, type: 11, symbols, 72, link: 1);
        Section(5, type: 4, relocations, 24, link: 4);
        return file;

        void Section(int index, long type, int offset, int size, int link)
        {
            var at = table + index * 64;
            Write(at + 4, type, 4);
            Write(at + 24, offset, 8);
            Write(at + 32, size, 8);
            Write(at + 40, link, 4);
        }

        void Write(int at, long value, int size)
        {
            Span<byte> bytes = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
            bytes[..size].CopyTo(file.AsSpan(at));
        }
    }
}
