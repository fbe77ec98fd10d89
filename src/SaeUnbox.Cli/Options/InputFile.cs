using System.Text;

namespace SaeUnbox.Cli.Options;

/// <summary>Small files the user names.</summary>
internal static class InputFile
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <exception cref="CliException">The file is missing, no file, or too large.</exception>
    public static byte[] Read(string path, long largest)
    {
        if (Directory.Exists(path)) throw new CliException($"{path} is a folder; a file is expected.");
        if (!File.Exists(path)) throw new CliException($"the file {path} is missing.");
        var length = new FileInfo(path).Length;
        return length <= largest ? File.ReadAllBytes(path) : throw new CliException($"{path} is too large: {length} bytes, at most {largest} are read.");
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
