using System.Text;

namespace SaeUnbox.Cli.Options;

/// <summary>Comma-separated values (RFC 4180): quotes, doubled quotes, line ends inside quotes.</summary>
internal static class CsvRecords
{
    // A quote that is never closed would swallow the file.
    private const int MostLines = 1000;

    /// <summary>The records that hold anything, with the line each begins in.</summary>
    /// <exception cref="CliException">A quote is not closed, or text follows one.</exception>
    public static IEnumerable<(int Number, IReadOnlyList<string> Cells)> Read(string path)
    {
        var cells = new List<string>();
        var cell = new StringBuilder();
        var (quoted, closed, first) = (false, false, 0);
        foreach (var (number, line) in Utf8Lines.Read(path))
        {
            if (!quoted) first = number;
            else cell.Append('\n');
            if (number - first > MostLines) throw Unclosed();
            for (var i = 0; i < line.Length; i++)
            {
                var c = line[i];
                if (quoted && c == '"' && i + 1 < line.Length && line[i + 1] == '"') cell.Append(line[++i]);
                else if (quoted && c == '"') (quoted, closed) = (false, true);
                else if (quoted) cell.Append(c);
                else if (c == ',') EndCell();
                else if (closed) throw new CliException($"{path}, line {number}: text follows a closing quote; write a quote inside quotes twice.");
                else if (c == '"' && cell.Length == 0) quoted = true;
                else cell.Append(c);
            }
            if (quoted) continue;
            EndCell();
            if (cells.Count > 1 || cells[0].Length > 0) yield return (first, cells.ToArray());
            cells.Clear();
        }
        if (quoted) throw Unclosed();

        void EndCell()
        {
            cells.Add(cell.ToString());
            cell.Clear();
            closed = false;
        }

        CliException Unclosed() => new($"{path}, line {first}: a quote is not closed.");
    }
}
