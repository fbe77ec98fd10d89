using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;

namespace SaeUnbox.Models;

/// <summary>
/// Reads a pickle as data only. It supports the opcodes that PyTorch writes and the globals of an allow-list, and rejects everything else;
/// it never imports or calls anything. Values are null, bool, long, BigInteger, double, string, <c>List&lt;object?&gt;</c>,
/// <c>object?[]</c> (tuples), <c>OrderedDictionary&lt;string, object?&gt;</c>, and the results of the globals.
/// Opcodes: https://github.com/python/cpython/blob/main/Lib/pickletools.py.
/// </summary>
/// <param name="globals">Maps "module.name" to a <see cref="PickleFunction"/> or a value.</param>
/// <param name="persistent">Resolves the persistent ids with which PyTorch refers to storages.</param>
internal sealed class PickleMachine(ByteSource source, IReadOnlyDictionary<string, object> globals, Func<object?[], object> persistent)
{
    /// <summary>
    /// Limit for the values on the stack, in the memo, and created. The minimum is twice that of a full U-Net; it grows with the file, so
    /// that values never take more memory than twice the file plus 16 MB.
    /// </summary>
    private readonly int _limit = (int)Math.Clamp(source.File.Length / 64, 100_000, 500_000);

    private const int MaxIntegerLength = 64;
    private const int MaxNameLength = 200;

    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<long, object?> _memo = [];
    private int _created;

    /// <summary>Runs to STOP, and returns the remaining value.</summary>
    public object? Run()
    {
        while (true)
        {
            var opcode = source.ReadByte();
            if (opcode == '.')
                return _stack.Count == 1 && _marks.Count == 0 ? _stack[0] : throw Broken("does not leave a single value");
            Step(opcode);
            if (_stack.Count > _limit || _marks.Count > _limit || _memo.Count > _limit || _created > _limit)
                throw Broken("holds too many values");
        }
    }

    private void Step(byte opcode)
    {
        switch (opcode)
        {
            case 0x80: // PROTO
                if (source.ReadByte() > 5)
                    throw Broken("has an unknown protocol");
                break;
            case 0x95: // FRAME
                if (ReadUInt64() > (ulong)source.Left)
                    throw Broken("has a frame that is longer than the rest");
                break;
            case (byte)'(': _marks.Add(_stack.Count); break;
            case (byte)'0': Pop(); break;
            case (byte)'1': PopMark(); break;
            case (byte)'2': Push(Peek()); break;

            case (byte)'N': Push(null); break;
            case 0x88: Push(true); break;
            case 0x89: Push(false); break;
            case (byte)'K': Push((long)source.ReadByte()); break;
            case (byte)'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Bytes(stackalloc byte[2]))); break;
            case (byte)'J': Push((long)BinaryPrimitives.ReadInt32LittleEndian(Bytes(stackalloc byte[4]))); break;
            case 0x8a: Push(ReadInteger(source.ReadByte())); break;
            case 0x8b: Push(ReadInteger(ReadUInt32())); break;
            case (byte)'G': Push(BinaryPrimitives.ReadDoubleBigEndian(Bytes(stackalloc byte[8]))); break;
            case (byte)'U': case 0x8c: Push(source.ReadUtf8(source.ReadByte())); break;
            case (byte)'T': case (byte)'X': Push(source.ReadUtf8(ReadUInt32())); break;
            case 0x8d: Push(source.ReadUtf8((long)Math.Min(ReadUInt64(), long.MaxValue))); break;

            case (byte)']': Push(new List<object?>()); break;
            case (byte)'}': Push(new OrderedDictionary<string, object?>()); break;
            case (byte)')': Push(Array.Empty<object?>()); break;
            case (byte)'l': Push(PopMark().ToList()); break;
            case (byte)'d': Push(SetItems([], PopMark())); break;
            case (byte)'t': Push(PopMark()); break;
            case 0x85: Push(PopMany(1)); break;
            case 0x86: Push(PopMany(2)); break;
            case 0x87: Push(PopMany(3)); break;
            case (byte)'a': { var item = Pop(); Top<List<object?>>().Add(item); break; }
            case (byte)'e': { var items = PopMark(); Top<List<object?>>().AddRange(items); break; }
            case (byte)'s': { var pair = PopMany(2); SetItems(Top<OrderedDictionary<string, object?>>(), pair); break; }
            case (byte)'u': { var pairs = PopMark(); SetItems(Top<OrderedDictionary<string, object?>>(), pairs); break; }

            case (byte)'q': _memo[source.ReadByte()] = Peek(); break;
            case (byte)'r': _memo[ReadUInt32()] = Peek(); break;
            case 0x94: _memo[_memo.Count] = Peek(); break;
            case (byte)'h': Push(Recall(source.ReadByte())); break;
            case (byte)'j': Push(Recall(ReadUInt32())); break;

            case (byte)'c': Push(Global(source.ReadLine(MaxNameLength), source.ReadLine(MaxNameLength))); break;
            case 0x93: { var name = PopMany(2); Push(Global(name[0] as string, name[1] as string)); break; }
            case (byte)'R': Reduce(); break;
            case (byte)'b': Build(); break;
            case (byte)'Q':
                Push(persistent(Pop() as object?[] ?? throw Broken("refers to a storage by something other than a tuple")));
                break;

            default: throw Broken($"has the opcode 0x{opcode:x2}, which files of weights do not need");
        }
    }

    private object Global(string? module, string? name) => globals.TryGetValue($"{module}.{name}", out var value)
        ? value : throw Broken($"imports '{module}.{name}', which files of weights do not need; nothing of it was run");

    private void Reduce()
    {
        var arguments = Pop() as object?[] ?? throw Broken("calls something without a tuple of arguments");
        var function = Pop() as PickleFunction ?? throw Broken("calls something that is not a function");
        Push(function(arguments));
    }

    /// <summary>
    /// Drops attributes of a dictionary (the <c>_metadata</c> of a state dict). Attributes of anything else are an error.
    /// </summary>
    private void Build()
    {
        var state = Pop();
        if (state is not OrderedDictionary<string, object?> || Peek() is not OrderedDictionary<string, object?>)
            throw Broken("sets the attributes of an object");
    }

    private OrderedDictionary<string, object?> SetItems(OrderedDictionary<string, object?> dictionary, object?[] items)
    {
        if (items.Length % 2 != 0)
            throw Broken("has a key without a value");
        for (var i = 0; i < items.Length; i += 2)
            dictionary[Key(items[i])] = items[i + 1];
        return dictionary;
    }

    private string Key(object? key) => key switch
    {
        string text => text,
        long number => number.ToString(CultureInfo.InvariantCulture),
        _ => throw Broken("has a dictionary whose keys are neither strings nor whole numbers"),
    };

    private object ReadInteger(long length)
    {
        if (length > MaxIntegerLength)
            throw Broken($"has an integer of {length} bytes");
        var value = new BigInteger(Bytes(stackalloc byte[(int)length]));
        if (value >= long.MinValue && value <= long.MaxValue)
            return (long)value;
        return value;
    }

    private uint ReadUInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(stackalloc byte[4]));

    private ulong ReadUInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(stackalloc byte[8]));

    private Span<byte> Bytes(Span<byte> bytes)
    {
        source.ReadExactly(bytes);
        return bytes;
    }

    private void Push(object? value)
    {
        _created++;
        _stack.Add(value);
    }

    /// <summary>Index of the lowest value that may be popped: the last mark.</summary>
    private int Floor => _marks.Count == 0 ? 0 : _marks[^1];

    private object? Peek() => _stack.Count > Floor ? _stack[^1] : throw Broken("takes a value from an empty stack");

    private object? Pop() => PopMany(1)[0];

    private object?[] PopMany(int count) => _stack.Count - Floor >= count
        ? Take(_stack.Count - count) : throw Broken("takes a value from an empty stack");

    private object?[] PopMark()
    {
        if (_marks.Count == 0)
            throw Broken("lacks a mark");
        var from = _marks[^1];
        _marks.RemoveAt(_marks.Count - 1);
        return Take(from);
    }

    private object?[] Take(int from)
    {
        var items = _stack.GetRange(from, _stack.Count - from).ToArray();
        _stack.RemoveRange(from, items.Length);
        return items;
    }

    private T Top<T>() where T : class => Peek() as T ?? throw Broken("adds an item to something that cannot hold it");

    private object? Recall(long index) => _memo.TryGetValue(index, out var value)
        ? value : throw Broken($"recalls value {index}, which was never stored");

    private CheckpointException Broken(string what) => source.File.Broken($"its pickle {what}");
}

/// <summary>A callable global. It has no side effects.</summary>
internal delegate object? PickleFunction(object?[] arguments);

/// <summary>
/// The globals that files of weights need. Each only describes data. Their arguments are defined in PyTorch's torch/_utils.py and
/// torch/storage.py.
/// </summary>
internal sealed class TorchGlobals(SourceFile file)
{
    private const int MaxAxes = 64;

    private static readonly (string Name, string Element)[] DTypes =
    [
        ("float64", "F64"), ("double", "F64"), ("float32", "F32"), ("float", "F32"), ("float16", "F16"), ("half", "F16"),
        ("bfloat16", "BF16"), ("int64", "I64"), ("long", "I64"), ("int32", "I32"), ("int", "I32"), ("int16", "I16"),
        ("short", "I16"), ("int8", "I8"), ("uint8", "U8"), ("bool", "BOOL"), ("uint16", "U16"), ("uint32", "U32"), ("uint64", "U64"),
        ("float8_e4m3fn", "F8_E4M3"), ("float8_e5m2", "F8_E5M2"), ("float8_e8m0fnu", "F8_E8M0"),
        ("float8_e4m3fnuz", "F8_E4M3FNUZ"), ("float8_e5m2fnuz", "F8_E5M2FNUZ"),
    ];

    public IReadOnlyDictionary<string, object> AllowList()
    {
        var list = new Dictionary<string, object>
        {
            ["collections.OrderedDict"] = (PickleFunction)OrderedDict,
            ["torch._utils._rebuild_tensor"] = (PickleFunction)(arguments => Tensor(arguments, 4, null)),
            ["torch._utils._rebuild_tensor_v2"] = (PickleFunction)(arguments => Tensor(arguments, 6, null)),
            ["torch._utils._rebuild_tensor_v3"] = (PickleFunction)TensorOfDType,
            ["torch._utils._rebuild_parameter"] = (PickleFunction)Parameter,
            ["torch.Size"] = (PickleFunction)(arguments => arguments is [object?[] sizes] ? sizes : throw Broken("torch.Size")),
            ["torch.device"] = (PickleFunction)(arguments => arguments is [string name, ..] ? name : throw Broken("torch.device")),
        };
        foreach (var kind in StorageClass.All)
            list[$"torch.{kind.Name}"] = list[$"torch.storage.{kind.Name}"] = kind;
        foreach (var (name, element) in DTypes) list[$"torch.{name}"] = ElementType.Find(element)!;
        return list;
    }

    private OrderedDictionary<string, object?> OrderedDict(object?[] arguments)
    {
        var dictionary = new OrderedDictionary<string, object?>();
        if (arguments is [])
            return dictionary;
        if (arguments is not [List<object?> pairs])
            throw Broken("OrderedDict");
        foreach (var pair in pairs)
        {
            if (pair is List<object?> and [string first, var one])
                dictionary[first] = one;
            else if (pair is object?[] and [string second, var two])
                dictionary[second] = two;
            else
                throw Broken("OrderedDict");
        }
        return dictionary;
    }

    private TorchTensor Parameter(object?[] arguments) => arguments is [TorchTensor data, ..] ? data : throw Broken("_rebuild_parameter");

    private TorchTensor TensorOfDType(object?[] arguments) =>
        Tensor(arguments, 7, arguments.Length > 6 ? arguments[6] as ElementType ?? throw Broken("_rebuild_tensor_v3") : null);

    /// <summary>Arguments: storage, offset, size, stride, requires_grad, backward_hooks, … The last two do not affect the data.</summary>
    private TorchTensor Tensor(object?[] arguments, int minCount, ElementType? dtype)
    {
        if (arguments.Length < minCount || arguments is not [TorchStorage storage, long offset, object?[] sizes, object?[] steps, ..])
            throw Broken("_rebuild_tensor");
        var element = dtype ?? storage.Element;
        var (shape, strides) = (Numbers(sizes), Numbers(steps));
        if (shape.Length != strides.Length || offset < 0)
            throw Broken("_rebuild_tensor");
        try
        {
            var capacity = storage.Bytes / element.Bytes;
            var count = shape.Aggregate(1L, (product, size) => checked(product * Math.Max(1, size)));
            if (shape.Contains(0))
                count = 0;
            if (checked(offset + StoredTensor.ExtentOf(shape, strides)) > capacity)
                throw file.Broken(
                    $"a tensor of shape {Shapes.Text(shape)}, strides {Shapes.Text(strides)} and offset {offset} is outside "
                    + $"its storage of {capacity} elements");
            if (count > capacity)
                throw file.Broken(
                    $"a tensor of shape {Shapes.Text(shape)} repeats the {capacity} elements of its storage, which is not supported");
            StoredTensor.RowMajor(shape);
            return new TorchTensor(storage, element, offset, shape, strides);
        }
        catch (OverflowException exception)
        {
            throw file.Broken($"a tensor of shape {Shapes.Text(shape)} and strides {Shapes.Text(strides)} overflows 64 bits", exception);
        }
    }

    private long[] Numbers(object?[] values)
    {
        if (values.Length > MaxAxes)
            throw Broken("_rebuild_tensor");
        return Array.ConvertAll(values, value => value is long number and >= 0 ? number : throw Broken("_rebuild_tensor"));
    }

    private CheckpointException Broken(string function) =>
        file.Broken($"its pickle gives {function} arguments that PyTorch would not write");
}
