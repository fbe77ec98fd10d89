using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// A file written by <c>torch.save</c>, read as data only: its pickle may hold only tensors, dictionaries, lists, numbers and strings. The
/// device of a storage ("cuda:0") is ignored.
/// </summary>
public sealed class TorchFile : Checkpoint
{
    private TorchFile(SourceFile file, string format, object? root, IReadOnlyList<StoredTensor> tensors)
        : base(file.Path, format, tensors, [file]) =>
        Root = root;

    /// <summary>
    /// The saved value: null, bool, long, double, string, <see cref="TensorEntry"/> (use its name to read it),
    /// <c>List&lt;object?&gt;</c> for lists and tuples, or <c>OrderedDictionary&lt;string, object?&gt;</c>.
    /// </summary>
    public object? Root { get; }

    internal static TorchFile OpenZip(SourceFile file)
    {
        var archive = new TorchArchive(file);
        return Build(file, "PyTorch zip", archive.ReadValue());
    }

    internal static TorchFile OpenLegacy(SourceFile file) => Build(file, "PyTorch legacy", LegacyTorch.ReadValue(file));

    private static TorchFile Build(SourceFile file, string format, object? value)
    {
        var tree = new TorchTree(file);
        var root = tree.Convert(value);
        return new TorchFile(file, format, root, tree.Tensors);
    }
}

/// <summary>
/// PyTorch's zip format: in a single top folder, <c>data.pkl</c> holds the values and <c>data/KEY</c> the bytes of each storage.
/// </summary>
internal sealed class TorchArchive
{
    /// <summary>Limit for the pickle in bytes.</summary>
    public const long MaxPickleLength = 64 << 20;

    private readonly SourceFile _file;
    private readonly ZipDirectory _directory;
    private readonly string _folder;
    private readonly Dictionary<string, TorchStorage> _storages = [];

    public TorchArchive(SourceFile file)
    {
        _file = file;
        _directory = new ZipDirectory(file);
        const string pickle = "/data.pkl";
        var pickles = _directory.Records
            .Where(record => record.Name == "data.pkl" || record.Name.EndsWith(pickle, StringComparison.Ordinal)).ToList();
        _folder = pickles switch
        {
            [var only] when only.Name.IndexOf('/') == only.Name.Length - pickle.Length => only.Name[..^pickle.Length],
            [] => throw _file.Unsupported(NotTorch()),
            [_] => throw _file.Broken("its data.pkl is not in a top folder"),
            _ => throw _file.Broken("it is a zip with more than one data.pkl"),
        };
        RequireLittleEndian();
    }

    public object? ReadValue()
    {
        var pickle = _directory.Find($"{_folder}/data.pkl")!;
        if (pickle.Length > MaxPickleLength)
            throw _file.Broken($"its data.pkl of {pickle.Length} bytes is too long");
        pickle.Verify();
        var source = new ByteSource(_file, pickle.Position, pickle.Position + pickle.Length);
        var value = new PickleMachine(source, new TorchGlobals(_file).AllowList(), Storage).Run();
        if (source.Left > 0)
            throw _file.Broken("its data.pkl has data after its end");
        return value;
    }

    private string NotTorch()
    {
        var names = _directory.Records.Select(record => record.Name).ToList();
        if (names.Exists(name => name.EndsWith(".npy", StringComparison.Ordinal)))
            return "it is a NumPy archive (.npz); save its arrays with safetensors.numpy.save_file";
        var listed = names.Count == 0 ? "nothing in it" : Listing.Shorten(names, 3);
        return $"it is a zip without data.pkl ({listed}), not a PyTorch file; unpack it and name what lies in it";
    }

    private void RequireLittleEndian()
    {
        if (_directory.Find($"{_folder}/byteorder") is not { } record)
            return;
        var order = new byte[(int)Math.Min(record.Length, 16)];
        _file.ReadExactly(record.Position, order);
        record.Verify();
        if (Encoding.ASCII.GetString(order) != "little")
            throw _file.Broken("its bytes are not in little-endian order; save it again on a little-endian machine");
    }

    /// <summary>Resolves ("storage", class, key, device, count). The record must exist and have exactly this many elements.</summary>
    private TorchStorage Storage(object?[] id)
    {
        if (id is not ["storage", StorageClass kind, string key, string, long count])
            throw _file.Broken("its pickle refers to a storage in an unknown way");
        if (_storages.TryGetValue(key, out var known))
            return known.RequireSame(_file, kind, count);
        if (_directory.Find($"{_folder}/data/{key}") is not { } record || !key.All(char.IsAsciiLetterOrDigit))
            throw _file.Broken($"its storage '{key}' is missing");
        if (count < 0 || record.Length % kind.Element.Bytes != 0 || count != record.Length / kind.Element.Bytes)
            throw _file.Broken($"its storage '{key}' should have {count} elements of {kind.Element}, its record has {record.Length} bytes");
        return _storages[key] = new TorchStorage(key, kind.Element, count) { Position = record.Position, Verify = record.Verify };
    }
}

/// <summary>
/// PyTorch's format before the zip: five pickles (magic number, protocol, machine, value, keys of the storages), then each storage in the
/// order of the keys, as a count and its elements.
/// </summary>
internal static class LegacyTorch
{
    private const long Protocol = 1001;
    private static readonly BigInteger Magic =
        BigInteger.Parse("1950a86a20f9469cfc6c", NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    private static readonly Dictionary<string, object> NoGlobals = [];

    public static object? ReadValue(SourceFile file)
    {
        var source = new ByteSource(file, 0, Math.Min(file.Length, TorchArchive.MaxPickleLength));
        if (Plain() is not BigInteger magic || magic != Magic)
            throw file.Unsupported(
                "it is a bare pickle, not a PyTorch file; nothing of it was run; save its tensors with torch.save, or as "
                + "safetensors");
        if (Plain() is not Protocol)
            throw file.Broken($"it has another protocol than {Protocol}");
        if (Plain() is not OrderedDictionary<string, object?> machine || machine.GetValueOrDefault("little_endian") is not true)
            throw file.Broken("its bytes are not in little-endian order; save it again on a little-endian machine");

        var storages = new Dictionary<string, TorchStorage>();
        var value = new PickleMachine(source, new TorchGlobals(file).AllowList(), id => Storage(file, storages, id)).Run();
        if (Plain() is not List<object?> keys)
            throw file.Broken("its list of storages is missing");
        Place(file, source.Position, storages, keys);
        return value;

        object? Plain() =>
            new PickleMachine(source, NoGlobals, _ => throw file.Broken("its pickle refers to a storage before any is defined")).Run();
    }

    /// <summary>
    /// Resolves ("storage", class, key, device, count[, view]). Only the oldest versions wrote views of storages, which are rejected.
    /// </summary>
    private static TorchStorage Storage(SourceFile file, Dictionary<string, TorchStorage> storages, object?[] id)
    {
        if (id is ["module", ..])
            throw file.Unsupported(PickleImports.WholeModule);
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
            if (item is not string key || !left.Remove(key))
                throw file.Broken($"its list of storages has '{item}', which no tensor uses");
            var storage = storages[key];
            file.ReadExactly(position, count);
            if (BinaryPrimitives.ReadInt64LittleEndian(count) != storage.Count)
                throw file.Broken($"its storage '{key}' has another size than its pickle says");
            storage.Position = position + count.Length;
            position = storage.Position + storage.Bytes;
        }
        if (left.Count > 0)
            throw file.Broken($"its list of storages lacks '{left.First()}'");
        if (position > file.Length)
            throw file.Broken("it ends before the last of its storages");
        if (position < file.Length)
            throw file.Broken($"it has {file.Length - position} bytes after the last of its storages");
    }
}

/// <summary>A storage class of PyTorch and its element type. The untyped storage has bytes.</summary>
internal sealed record StorageClass(string Name, ElementType Element)
{
    public static readonly IReadOnlyList<StorageClass> All =
    [
        new("DoubleStorage", ElementType.F64), new("FloatStorage", ElementType.F32), new("HalfStorage", ElementType.F16),
        new("BFloat16Storage", ElementType.BF16), new("LongStorage", ElementType.I64), new("IntStorage", ElementType.I32),
        new("ShortStorage", ElementType.I16), new("CharStorage", ElementType.I8), new("ByteStorage", ElementType.U8),
        new("BoolStorage", ElementType.BOOL), new("UntypedStorage", ElementType.U8),
        new("ComplexFloatStorage", ElementType.Find("C64")!),
    ];

    /// <summary>Name of the storage class for an element type.</summary>
    public static string NameFor(torch.ScalarType dtype)
    {
        var element = ElementType.For(dtype);
        return All.First(kind => kind.Element == element).Name;
    }
}

/// <summary>A flat array of elements that tensors are views of. Its position is known once the container has been read.</summary>
internal sealed class TorchStorage(string key, ElementType element, long count)
{
    public ElementType Element => element;

    public long Count => count;

    public long Bytes => checked(count * element.Bytes);

    /// <summary>Offset of the first byte in the file.</summary>
    public long Position { get; set; }

    public Action? Verify { get; set; }

    /// <summary>Checks that a repeated reference to this storage describes it in the same way.</summary>
    public TorchStorage RequireSame(SourceFile file, StorageClass kind, long elements) => element == kind.Element && count == elements
        ? this : throw file.Broken($"its pickle describes the storage '{key}' in two ways");
}

/// <summary>A view of a storage, with checked bounds. Offset and strides are in elements.</summary>
internal sealed record TorchTensor(TorchStorage Storage, ElementType Element, long Offset, long[] Shape, long[] Strides);

/// <summary>
/// Converts the value of a pickle to a plain tree and a list of named tensors. Keys of nested dictionaries and indices in lists are joined
/// by dots ("state_dict.encoder.weight"); a bare tensor has an empty name. Depth and size are limited, so that cycles and repeated parts
/// fail.
/// </summary>
internal sealed class TorchTree(SourceFile file)
{
    private const int MaxDepth = 64;
    private const int MaxNodes = 500_000;
    private const int MaxNameLength = 1024;

    private readonly List<StoredTensor> _tensors = [];
    private readonly HashSet<string> _names = [];
    private long _bytes;
    private int _nodes;

    public IReadOnlyList<StoredTensor> Tensors => _tensors;

    public object? Convert(object? value) => Convert(value, "", 0);

    private object? Convert(object? value, string name, int depth)
    {
        if (depth > MaxDepth)
            throw file.Broken($"its values are nested deeper than {MaxDepth} levels");
        if (++_nodes > MaxNodes)
            throw file.Broken($"it holds more than {MaxNodes} values");
        if (name.Length > MaxNameLength)
            throw file.Broken($"the name '{name}' is longer than {MaxNameLength} characters");
        return value switch
        {
            null or bool or long or double or string => value,
            System.Numerics.BigInteger integer => (double)integer,
            TorchTensor tensor => Add(tensor, name),
            OrderedDictionary<string, object?> dictionary => Dictionary(dictionary, name, depth),
            List<object?> list => Items(list, name, depth),
            object?[] tuple => Items(tuple, name, depth),
            ElementType dtype => dtype.Name,
            _ => throw file.Broken($"'{name}' is neither a tensor nor plain data"),
        };
    }

    private OrderedDictionary<string, object?> Dictionary(OrderedDictionary<string, object?> source, string name, int depth)
    {
        var result = new OrderedDictionary<string, object?>(source.Count);
        foreach (var (key, value) in source)
            result.Add(key, Convert(value, Join(name, key), depth + 1));
        return result;
    }

    private List<object?> Items(IReadOnlyList<object?> source, string name, int depth)
    {
        var result = new List<object?>(source.Count);
        for (var i = 0; i < source.Count; i++)
            result.Add(Convert(source[i], Join(name, $"{i}"), depth + 1));
        return result;
    }

    private TensorEntry Add(TorchTensor tensor, string name)
    {
        if (!_names.Add(name))
            throw file.Broken($"it has two tensors named '{name}'");
        var entry = new TensorEntry(name, tensor.Element, tensor.Shape);
        // Tensors may share a storage, like tied weights, but a small file must not expand into a huge model.
        _bytes = checked(_bytes + entry.Count * tensor.Element.Bytes + name.Length);
        if (_bytes > 2 * file.Length)
            throw file.Broken($"its tensors share storages so often that they take more than twice the file's {file.Length} bytes");
        var position = tensor.Storage.Position + tensor.Offset * tensor.Element.Bytes;
        _tensors.Add(new StoredTensor(entry, file, position, tensor.Strides, tensor.Storage.Verify));
        return entry;
    }

    private static string Join(string path, string key) => path.Length == 0 ? key : $"{path}.{key}";
}
