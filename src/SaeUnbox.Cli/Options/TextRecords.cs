using System.Text;

namespace SaeUnbox.Cli.Options;

/// <summary>Reads a table of separated values (RFC 4180), with quotes, doubled quotes, and line breaks inside quotes.</summary>
internal static class TableRecords
{
    // Without a limit, a quote that is never closed would read the whole file.
    private const int MostLines = 1000;

    /// <summary>The records that are not empty, each with the line it starts on.</summary>
    /// <exception cref="CliException">A quote is not closed, or text follows a closing quote.</exception>
    public static IEnumerable<(int Number, IReadOnlyList<string> Cells)> Read(string path, char separator)
    {
        var cells = new List<string>();
        var cell = new StringBuilder();
        var (quoted, closed, first) = (false, false, 0);
        foreach (var (number, line) in Utf8Lines.Read(path))
        {
            if (!quoted)
                first = number;
            else
                cell.Append('\n');
            if (number - first > MostLines)
                throw Unclosed();
            for (var i = 0; i < line.Length; i++)
            {
                var c = line[i];
                if (quoted && c == '"' && i + 1 < line.Length && line[i + 1] == '"')
                    cell.Append(line[++i]);
                else if (quoted && c == '"')
                    (quoted, closed) = (false, true);
                else if (quoted)
                    cell.Append(c);
                else if (c == separator)
                    EndCell();
                else if (closed)
                    throw new CliException(
                        $"{path}, line {number}: text follows a closing quote; double a quote that is part of the text.");
                else if (c == '"' && cell.Length == 0)
                    quoted = true;
                else
                    cell.Append(c);
            }
            if (quoted)
                continue;
            EndCell();
            if (cells.Count > 1 || cells[0].Length > 0)
                yield return (first, cells.ToArray());
            cells.Clear();
        }
        if (quoted)
            throw Unclosed();

        void EndCell()
        {
            cells.Add(cell.ToString());
            cell.Clear();
            closed = false;
        }

        CliException Unclosed() => new($"{path}, line {first}: a quote is not closed.");
    }
}

/// <summary>Reads the lines of a text file of any size one at a time.</summary>
internal static class Utf8Lines
{
    // In bytes. Captions are far shorter.
    private const int LongestLine = 1 << 20;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Lines are numbered from 1, and come without line breaks and byte order mark.</summary>
    /// <exception cref="CliException">The file cannot be read, or a line is too long or not UTF-8; the message names it.</exception>
    public static IEnumerable<(int Number, string Text)> Read(string path)
    {
        using var stream = Open(path);
        var line = new List<byte>();
        var buffer = new byte[1 << 16];
        var number = 1;
        for (int count; (count = stream.Read(buffer)) > 0;)
        {
            for (var start = 0; start < count;)
            {
                var length = buffer.AsSpan(start, count - start).IndexOf((byte)'\n');
                line.AddRange(buffer.AsSpan(start, length < 0 ? count - start : length));
                if (line.Count > LongestLine)
                    throw new CliException($"{path}, line {number}: longer than {LongestLine} bytes; write one caption per line.");
                if (length < 0)
                    break;
                yield return (number, Decode(path, number, line));
                number++;
                line.Clear();
                start += length + 1;
            }
        }
        if (line.Count > 0)
            yield return (number, Decode(path, number, line));
    }

    /// <exception cref="CliException">The file is missing, a folder or unreadable.</exception>
    public static FileStream Open(string path)
    {
        if (Directory.Exists(path))
            throw new CliException($"{path} is a folder; a file is expected.");
        if (!File.Exists(path))
            throw new CliException($"the file {path} is missing.");
        try
        {
            return File.OpenRead(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"{path} cannot be read: {error.Message}");
        }
    }

    private static string Decode(string path, int number, List<byte> line)
    {
        try
        {
            var text = Strict.GetString([.. line]).TrimEnd('\r');
            return number == 1 ? text.TrimStart('\uFEFF') : text;
        }
        catch (DecoderFallbackException)
        {
            throw new CliException($"{path}, line {number}: not valid UTF-8; save the file as UTF-8.");
        }
    }
}
