using System.Text;

namespace SaeUnbox.Models;

/// <summary>Reads a model's small files; one that is not small is no such file.</summary>
internal static class TextFile
{
    /// <exception cref="ModelException">The file is missing, unreadable, or larger than <paramref name="most"/> bytes.</exception>
    public static string Read(string path, int most)
    {
        try
        {
            using var file = File.OpenRead(path);
            var bytes = new byte[(int)Math.Min(file.Length, most) + 1];
            var read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (read == bytes.Length)
            {
                throw new ModelException($"{path} is larger than {most} bytes, which no such file is.");
            }

            using var reader = new StreamReader(new MemoryStream(bytes, 0, read), Encoding.UTF8);
            return reader.ReadToEnd();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ModelException($"{path} is missing.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelException($"{path} cannot be read: {e.Message}", e);
        }
    }
}
