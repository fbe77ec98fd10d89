using System.Text;

namespace SaeUnbox.Models;

/// <summary>
/// PyTorch's zip format: under one top folder, <c>data.pkl</c> holds the values and <c>data/KEY</c> the bytes of each storage.
/// </summary>
internal sealed class TorchArchive
{
    /// <summary>Most bytes of pickle in a file.</summary>
    public const long LongestPickle = 64 << 20;

    private readonly SourceFile file;
    private readonly ZipDirectory directory;
    private readonly string folder;
    private readonly Dictionary<string, TorchStorage> storages = [];

    public TorchArchive(SourceFile file)
    {
        this.file = file;
        directory = new ZipDirectory(file);
        const string pickle = "/data.pkl";
        var pickles = directory.Records.Where(record => record.Name == "data.pkl" || record.Name.EndsWith(pickle, StringComparison.Ordinal)).ToList();
        folder = pickles switch
        {
            [var only] when only.Name.IndexOf('/') == only.Name.Length - pickle.Length => only.Name[..^pickle.Length],
            [] => throw file.Broken("it is a zip without data.pkl, not a PyTorch file"),
            [_] => throw file.Broken("its data.pkl does not lie in a top folder"),
            _ => throw file.Broken("it is a zip with more than one data.pkl"),
        };
        RequireLittleEndian();
    }

    public object? ReadValue()
    {
        var pickle = directory.Find($"{folder}/data.pkl")!;
        if (pickle.Length > LongestPickle) throw file.Broken($"its data.pkl of {pickle.Length} bytes is too long");
        pickle.Verify();
        var source = new ByteSource(file, pickle.Position, pickle.Position + pickle.Length);
        var value = new PickleMachine(source, new TorchGlobals(file).AllowList(), Storage).Run();
        if (source.Left > 0) throw file.Broken("its data.pkl goes on after its end");
        return value;
    }

    private void RequireLittleEndian()
    {
        if (directory.Find($"{folder}/byteorder") is not { } record) return;
        var order = new byte[(int)Math.Min(record.Length, 16)];
        file.ReadExactly(record.Position, order);
        record.Verify();
        if (Encoding.ASCII.GetString(order) != "little")
            throw file.Broken("its bytes are not in little-endian order; save it again on a little-endian machine");
    }

    /// <summary>("storage", class, key, device, count): the record must be there and hold exactly that many elements.</summary>
    private TorchStorage Storage(object?[] id)
    {
        if (id is not ["storage", StorageClass kind, string key, string, long count])
            throw file.Broken("its pickle refers to a storage in an unknown way");
        if (storages.TryGetValue(key, out var known))
            return known.RequireSame(file, kind, count);
        if (directory.Find($"{folder}/data/{key}") is not { } record || !key.All(char.IsAsciiLetterOrDigit))
            throw file.Broken($"its storage '{key}' is not there");
        if (count < 0 || record.Length % kind.Element.Bytes != 0 || count != record.Length / kind.Element.Bytes)
            throw file.Broken($"its storage '{key}' should have {count} elements of {kind.Element}, its record has {record.Length} bytes");
        return storages[key] = new TorchStorage(key, kind.Element, count) { Position = record.Position, Verify = record.Verify };
    }
}
