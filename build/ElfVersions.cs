using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

/// <summary>
/// Reads which symbol versions a 64-bit little-endian ELF library needs, and marks one as weak: the loader then does not refuse the
/// library where the version is missing. Layout: System V gABI (sections, symbols) and LSB Core, chapter "Symbol Versioning".
/// </summary>
public sealed class ElfVersions
{
    private const int SymbolTable = 11, RelocationTable = 4, NeededVersions = 0x6ffffffe, SymbolVersions = 0x6fffffff;
    private const ushort WeakFlag = 2;

    private readonly byte[] _file;
    private readonly List<Section> _sections = new List<Section>();

    /// <exception cref="FormatException">The bytes are not such a library.</exception>
    public ElfVersions(byte[] file)
    {
        _file = file;
        if (file.Length < 64 || file[0] != 0x7f || file[1] != 'E' || file[2] != 'L' || file[3] != 'F' || file[4] != 2 || file[5] != 1)
            throw new FormatException("This is not a 64-bit little-endian ELF file.");
        long table = Int64(40);
        int size = UInt16(58), count = UInt16(60);
        for (var i = 0; i < count; i++)
        {
            var at = table + (long)i * size;
            _sections.Add(new Section { Type = Int32(at + 4), Offset = Int64(at + 24), Size = Int64(at + 32), Link = Int32(at + 40) });
        }
    }

    /// <summary>The needed versions, such as GLIBC_2.34, in the file's order.</summary>
    public IEnumerable<(string Name, bool IsWeak)> Needed()
    {
        foreach (var need in Needs())
            yield return (need.Name, (UInt16(need.At + 4) & WeakFlag) != 0);
    }

    /// <summary>
    /// Marks the need for <paramref name="version"/> as weak in the bytes that were given. Nothing is changed where the file does not name
    /// the version, has it marked already, or has a relocation that uses one of its symbols.
    /// </summary>
    /// <returns>Whether the bytes were changed.</returns>
    public bool MarkWeak(string version)
    {
        foreach (var need in Needs())
        {
            if (need.Name != version || (UInt16(need.At + 4) & WeakFlag) != 0 || IsUsed(UInt16(need.At + 6)))
                continue;
            _file[need.At + 4] |= (byte)WeakFlag;
            return true;
        }
        return false;
    }

    private IEnumerable<Need> Needs()
    {
        foreach (var section in _sections)
        {
            if (section.Type != NeededVersions)
                continue;
            var names = SectionAt(section.Link).Offset;
            for (long library = section.Offset, next = 1; next != 0; library += next)
            {
                long entry = library + UInt32(library + 8);
                for (var left = UInt16(library + 2); left > 0; left--)
                {
                    yield return new Need { At = entry, Name = Text(names + UInt32(entry + 8)) };
                    entry += UInt32(entry + 12);
                }
                next = UInt32(library + 12);
            }
        }
    }

    // Whether a relocation names a symbol that has this version's index.
    private bool IsUsed(int index)
    {
        var symbolVersions = _sections.Find(section => section.Type == SymbolVersions);
        foreach (var section in _sections)
        {
            if (section.Type != RelocationTable || SectionAt(section.Link).Type != SymbolTable)
                continue;
            for (var at = section.Offset; at < section.Offset + section.Size; at += 24)
            {
                long symbol = UInt32(at + 12);
                if (symbol != 0 && symbolVersions != null && (UInt16(symbolVersions.Offset + 2 * symbol) & 0x7fff) == index)
                    return true;
            }
        }
        return false;
    }

    private Section SectionAt(int index) =>
        index >= 0 && index < _sections.Count ? _sections[index] : throw new FormatException($"There is no section {index}.");

    private string Text(long at)
    {
        var end = at;
        while (Byte(end) != 0)
            end++;
        return Encoding.ASCII.GetString(_file, (int)at, (int)(end - at));
    }

    private byte Byte(long at) => at >= 0 && at < _file.Length ? _file[at] : throw new FormatException($"The file ends before byte {at}.");

    private ushort UInt16(long at) => (ushort)(Byte(at) | Byte(at + 1) << 8);

    private uint UInt32(long at) => UInt16(at) | (uint)UInt16(at + 2) << 16;

    private int Int32(long at) => (int)UInt32(at);

    private long Int64(long at) => UInt32(at) | (long)UInt32(at + 4) << 32;

    private sealed class Section
    {
        public int Type;
        public long Offset;
        public long Size;
        public int Link;
    }

    private sealed class Need
    {
        public long At;
        public string Name = "";
    }
}

#if !TESTS
/// <summary>The build step: writes a copy of a library in which one needed symbol version is weak.</summary>
public sealed class MarkWeakVersion : Microsoft.Build.Utilities.Task
{
    public string Library { get; set; }

    public string Version { get; set; }

    public string Copy { get; set; }

    public override bool Execute()
    {
        try
        {
            var bytes = File.ReadAllBytes(Library);
            new ElfVersions(bytes).MarkWeak(Version);
            Directory.CreateDirectory(Path.GetDirectoryName(Copy));
            // Projects build side by side. Each writes a file of its own; the first to rename it wins, and the bytes are the same.
            var aside = Copy + "." + Guid.NewGuid().ToString("N");
            File.WriteAllBytes(aside, bytes);
            try { File.Move(aside, Copy); }
            catch (IOException) when (File.Exists(Copy)) { File.Delete(aside); }
            return true;
        }
        catch (Exception error) when (error is IOException || error is UnauthorizedAccessException || error is FormatException)
        {
            Log.LogError($"'{Library}' cannot be prepared for this system: {error.Message}");
            return false;
        }
    }
}
#endif
