using System.Text;

namespace SaeUnbox.Models;

/// <summary>Recognises a file that holds no weights by its first bytes, and says what to do.</summary>
internal static class ForeignFile
{
    /// <summary>As many bytes as the signatures need.</summary>
    public const int HeadLength = 512;

    private const int MaxQuoted = 60;
    private const string Again = "download the file again", Wanted = "weights are safetensors or PyTorch files";

    /// <param name="head">The first bytes.</param>
    /// <returns>A clause such as "it is a WebP picture; …"; null if the bytes are of no known kind.</returns>
    public static string? Explain(ReadOnlySpan<byte> head)
    {
        if (FileKind.Of(head) is { } kind)
            return $"it is {kind}{WayOut(kind)}";
        if (head.TrimStart(" \t\r\n\u00EF\u00BB\u00BF"u8).StartsWith("<"u8))
            return $"it is a web page or another text with tags, as a server sends instead of a file; {Again}";
        if (!head.ContainsAnyExcept((byte)0))
            return $"it begins with zeros, as an unfinished download does; {Again}";
        if (head is [(byte)'(', (byte)'d' or (byte)'l' or (byte)'i', (byte)'p' or (byte)'_', ..])
            return "it is a pickle of protocol 0, not a PyTorch file; save its tensors with torch.save or as safetensors";
        return FirstLine(head) is { } line
            ? $"it is a text that begins \"{line}\", not weights; if a server sent it in place of the file, {Again}" : null;
    }

    private static string WayOut(string kind) => kind switch
    {
        "a git-lfs pointer" => ", not the file itself; fetch the file with git lfs pull, or download it",
        "a web page" => $", as a server sends in place of a file; {Again}",
        "a GGUF file" => ", whose weights are quantised in blocks, which is not supported; take the model's safetensors",
        "a NumPy array" => "; save it with safetensors.numpy.save_file",
        "an HDF5 file" => " (Keras, TensorFlow), which is not supported; take the model's safetensors",
        _ when kind.EndsWith("archive", StringComparison.Ordinal) => "; unpack it and name what lies in it",
        _ => $"; {Wanted}",
    };

    /// <summary>The start of the first line, if all bytes are those of a text.</summary>
    private static string? FirstLine(ReadOnlySpan<byte> head)
    {
        if (head.ContainsAnyInRange<byte>(0, 8) || head.ContainsAnyInRange<byte>(14, 31))
            return null;
        // The last letter may be cut.
        var text = Encoding.UTF8.GetString(head).TrimEnd('\uFFFD').Trim();
        if (text.Length == 0 || text.Contains('\uFFFD'))
            return null;
        var line = text.Split('\n', 2)[0].TrimEnd();
        return line.Length <= MaxQuoted ? line : $"{line[..MaxQuoted]}…";
    }
}
