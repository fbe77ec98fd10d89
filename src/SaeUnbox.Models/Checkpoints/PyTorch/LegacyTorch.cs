using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;

namespace SaeUnbox.Models;

/// <summary>
/// PyTorch's format before the zip: five pickles one after the other (a magic number, the protocol, the machine, the value, the keys of
/// the storages), then each storage as a count and its elements, in the order of the keys.
/// </summary>
internal static class LegacyTorch
{
    private const long Protocol = 1001;
    private static readonly BigInteger Magic = BigInteger.Parse("1950a86a20f9469cfc6c", NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    private static readonly Dictionary<string, object> NoGlobals = [];

    public static object? ReadValue(SourceFile file)
    {
        var source = new ByteSource(file, 0, Math.Min(file.Length, TorchArchive.LongestPickle));
        if (Plain() is not BigInteger magic || magic != Magic)
            throw file.Broken("it is a bare pickle, not a PyTorch file; nothing of it was run");
        if (Plain() is not Protocol) throw file.Broken($"it is of another protocol than {Protocol}");
        if (Plain() is not OrderedDictionary<string, object?> machine || machine.GetValueOrDefault("little_endian") is not true)
            throw file.Broken("its bytes are not in little-endian order; save it again on a little-endian machine");

        var storages = new Dictionary<string, TorchStorage>();
        var value = new PickleMachine(source, new TorchGlobals(file).AllowList(), id => Storage(file, storages, id)).Run();
        if (Plain() is not List<object?> keys) throw file.Broken("its list of storages is missing");
        Place(file, source.Position, storages, keys);
        return value;

        object? Plain() => new PickleMachine(source, NoGlobals, _ => throw file.Broken("its pickle refers to a storage where there is none")).Run();
    }

    /// <summary>("storage", class, key, device, count[, view]): a view of another storage was only written by the oldest versions.</summary>
    private static TorchStorage Storage(SourceFile file, Dictionary<string, TorchStorage> storages, object?[] id)
    {
        if (id is not (["storage", StorageClass, string, string, long, null] or ["storage", StorageClass, string, string, long]))
            throw file.Broken("its pickle refers to a storage in an unknown way");
        var (kind, key, count) = ((StorageClass)id[1]!, (string)id[2]!, (long)id[4]!);
        if (storages.TryGetValue(key, out var known))
            return known.RequireSame(file, kind, count);
        if (count < 0 || count > file.Length / kind.Element.Bytes)
            throw file.Broken($"its storage '{key}' of {count} elements does not fit the file");
        return storages[key] = new TorchStorage(key, kind.Element, count);
    }

    private static void Place(SourceFile file, long position, Dictionary<string, TorchStorage> storages, List<object?> keys)
    {
        var left = new HashSet<string>(storages.Keys);
        Span<byte> count = stackalloc byte[sizeof(long)];
        foreach (var item in keys)
        {
            if (item is not string key || !left.Remove(key)) throw file.Broken($"its list of storages has '{item}', which no tensor uses");
            var storage = storages[key];
            file.ReadExactly(position, count);
            if (BinaryPrimitives.ReadInt64LittleEndian(count) != storage.Count)
                throw file.Broken($"its storage '{key}' has another size than its pickle says");
            storage.Position = position + count.Length;
            position = storage.Position + storage.Bytes;
        }
        if (left.Count > 0) throw file.Broken($"its list of storages lacks '{left.First()}'");
        if (position > file.Length) throw file.Broken("it ends before the last of its storages");
        if (position < file.Length) throw file.Broken($"it has {file.Length - position} bytes after the last of its storages");
    }
}
