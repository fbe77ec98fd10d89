using System.Text;

namespace SaeUnbox.Cli.Options;

/// <summary>The lines of a text file of any size, one at a time.</summary>
internal static class Utf8Lines
{
    // A caption is far shorter; what is longer is no text of lines.
    private const int LongestLine = 1 << 20;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Numbered from 1, without line ends and byte order mark.</summary>
    /// <exception cref="CliException">The file cannot be read, or a line is too long or no UTF-8; it is named.</exception>
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
                if (line.Count > LongestLine) throw new CliException($"{path}, line {number}: longer than {LongestLine} bytes; a caption a line is expected.");
                if (length < 0) break;
                yield return (number, Decode(path, number, line));
                number++;
                line.Clear();
                start += length + 1;
            }
        }
        if (line.Count > 0) yield return (number, Decode(path, number, line));
    }

    private static FileStream Open(string path)
    {
        if (Directory.Exists(path)) throw new CliException($"{path} is a folder; a file is expected.");
        if (!File.Exists(path)) throw new CliException($"the file {path} is missing.");
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
            throw new CliException($"{path}, line {number}: no valid UTF-8; save the file as UTF-8.");
        }
    }
}
