using System.Text;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary>Small files the user names.</summary>
internal static class InputFile
{
    private const int LongestPath = 300;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <exception cref="CliException">The file is missing, no file, cannot be read, or is too large.</exception>
    public static byte[] Read(string path, long largest)
    {
        if (Directory.Exists(path)) throw new CliException($"{path} is a folder; a file is expected.");
        if (!File.Exists(path)) throw new CliException($"the file {Line.Quote(path, LongestPath)} is missing.");
        try
        {
            using var stream = File.OpenRead(path);
            using var bytes = new MemoryStream();
            var buffer = new byte[1 << 16];
            // Counted while reading: a device has no length, and no end.
            for (int count; (count = stream.Read(buffer)) > 0;)
            {
                if (bytes.Length + count > largest) throw new CliException($"{path} is too large: at most {largest} bytes are read.");
                bytes.Write(buffer, 0, count);
            }
            return bytes.ToArray();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"{path} cannot be read: {error.Message}");
        }
    }

    /// <exception cref="CliException">The bytes are no UTF-8 text.</exception>
    public static string Text(string path, byte[] bytes)
    {
        try
        {
            return Strict.GetString(bytes).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException)
        {
            throw new CliException($"{path} is neither a picture nor a text.");
        }
    }
}
