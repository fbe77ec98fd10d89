using System.Text;

namespace SaeUnbox.Models.Tests;

/// <summary>Builds files that the writers would refuse to write.</summary>
internal static class Handmade
{
    public static void Safetensors(string path, string header, byte[] data)
    {
        var json = Encoding.UTF8.GetBytes(header);
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)json.Length), .. json, .. data]);
    }

    /// <summary>A PyTorch zip with the given data.pkl and storages.</summary>
    public static void TorchZip(string path, byte[] pickle, params byte[][] storages) => AtomicFile.Write(path, stream =>
    {
        var zip = new ZipWriter(stream);
        zip.Add("archive/data.pkl", pickle.Length, target => target.Write(pickle));
        for (var key = 0; key < storages.Length; key++)
        {
            var bytes = storages[key];
            zip.Add($"archive/data/{key}", bytes.Length, target => target.Write(bytes));
        }
        zip.Finish();
    });

    /// <summary>The bytes of data.pkl in a PyTorch zip.</summary>
    public static byte[] PickleOf(string path)
    {
        using var file = SourceFile.Open(path);
        var record = new ZipDirectory(file).Records.Single(record => record.Name.EndsWith("/data.pkl"));
        var bytes = new byte[record.Length];
        file.ReadExactly(record.Position, bytes);
        return bytes;
    }
}
