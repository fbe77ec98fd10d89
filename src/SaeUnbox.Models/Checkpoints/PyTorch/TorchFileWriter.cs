using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>Writes files that <c>torch.load</c> reads (also with <c>weights_only=True</c>), whole or not at all.</summary>
public static class TorchFileWriter
{
    private const string Folder = "archive";

    /// <param name="path">The file to write.</param>
    /// <param name="value">
    /// A tensor (saved bare), or a dictionary of names to tensors, numbers, texts, bools, null, lists and dictionaries. A tensor keeps its
    /// memory order: a column-major matrix stays column-major.
    /// </param>
    /// <exception cref="CheckpointException">The file cannot be written.</exception>
    /// <exception cref="ArgumentException">A value of another kind.</exception>
    public static void Write(string path, object? value)
    {
        var writer = new PickleWriter();
        try
        {
            var pickle = writer.Write(value);
            AtomicFile.Write(path, stream =>
            {
                var zip = new ZipWriter(stream);
                zip.Add($"{Folder}/data.pkl", pickle.Length, target => target.Write(pickle));
                zip.Add($"{Folder}/byteorder", 6, target => target.Write("little"u8));
                for (var key = 0; key < writer.Storages.Count; key++)
                {
                    var storage = writer.Storages[key];
                    zip.Add($"{Folder}/data/{key}", storage.numel() * storage.element_size(), target => TensorWriter.Write(target, storage));
                }
                zip.Add($"{Folder}/version", 2, target => target.Write("3\n"u8));
                zip.Finish();
            });
        }
        finally
        {
            foreach (var storage in writer.Storages) storage.Dispose();
        }
    }
}
