using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;

namespace SaeUnbox.Models;

/// <summary>
/// Reads a pickle as data only. It supports the opcodes that PyTorch writes and the globals of an allow-list, and rejects everything else;
/// it never imports or calls anything. Values are null, bool, long, BigInteger, double, string, <c>List&lt;object?&gt;</c> (also sets),
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

            case (byte)']': case 0x8f: Push(new List<object?>()); break;
            case (byte)'}': Push(new OrderedDictionary<string, object?>()); break;
            case (byte)')': Push(Array.Empty<object?>()); break;
            case (byte)'l': Push(PopMark().ToList()); break;
            case (byte)'d': Push(SetItems([], PopMark())); break;
            case (byte)'t': Push(PopMark()); break;
            case 0x85: Push(PopMany(1)); break;
            case 0x86: Push(PopMany(2)); break;
            case 0x87: Push(PopMany(3)); break;
            case (byte)'a': { var item = Pop(); Top<List<object?>>().Add(item); break; }
            case (byte)'e': case 0x90: { var items = PopMark(); Top<List<object?>>().AddRange(items); break; }
            case (byte)'s': { var pair = PopMany(2); SetItems(Top<OrderedDictionary<string, object?>>(), pair); break; }
            case (byte)'u': { var pairs = PopMark(); SetItems(Top<OrderedDictionary<string, object?>>(), pairs); break; }

            case (byte)'q': _memo[source.ReadByte()] = Peek(); break;
            case (byte)'r': _memo[ReadUInt32()] = Peek(); break;
            case 0x94: _memo[_memo.Count] = Peek(); break;
            case (byte)'h': Push(Recall(source.ReadByte())); break;
            case (byte)'j': Push(Recall(ReadUInt32())); break;

            case (byte)'c': Push(Global(source.ReadLine(MaxNameLength), source.ReadLine(MaxNameLength))); break;
            case 0x93: { var name = PopMany(2); Push(Global(name[0] as string, name[1] as string)); break; }
            case (byte)'R': case 0x81: Reduce(); break;
            case (byte)'b': Build(); break;
            case (byte)'Q':
                Push(persistent(Pop() as object?[] ?? throw Broken("refers to a storage by something other than a tuple")));
                break;

            default: throw Broken($"has the opcode 0x{opcode:x2}, which files of weights do not need");
        }
    }

    private object Global(string? module, string? name) => globals.TryGetValue($"{module}.{name}", out var value)
        ? value : throw source.File.Unsupported(PickleImports.Explain(module ?? "", name ?? ""));

    private void Reduce()
    {
        var arguments = Pop() as object?[] ?? throw Broken("calls something without a tuple of arguments");
        var function = Pop() as PickleFunction ?? throw Broken("calls something that is not a function");
        Push(function(arguments));
    }

    /// <summary>
    /// Drops attributes of a dictionary (the <c>_metadata</c> of a state dict) or of a tensor. Attributes of anything else are an error.
    /// </summary>
    private void Build()
    {
        var isTuple = Pop() switch
        {
            OrderedDictionary<string, object?> => false,
            object?[] => true,
            _ => throw Broken("sets the attributes of an object"),
        };
        if (Peek() is not TorchTensor && (isTuple || Peek() is not OrderedDictionary<string, object?>))
            throw Broken("sets the attributes of an object");
    }

    private OrderedDictionary<string, object?> SetItems(OrderedDictionary<string, object?> dictionary, object?[] items)
    {
        if (items.Length % 2 != 0)
            throw Broken("has a key without a value");
        for (var i = 0; i < items.Length; i += 2)
        {
            var key = PickleKey.Text(items[i]) ?? throw Broken("has a dictionary whose keys are not plain values");
            if (!dictionary.TryAdd(key, items[i + 1]))
                throw Broken($"has a dictionary with two keys that read '{key}'");
        }
        return dictionary;
    }

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

/// <summary>Writes the keys of dictionaries as texts, as Python prints them.</summary>
internal static class PickleKey
{
    private const int MaxLength = 256, MaxDepth = 4;

    /// <summary>
    /// The text of a key: a string, number, truth value, None, data type, or a short tuple of them. Null for anything else.
    /// </summary>
    public static string? Text(object? key) => Text(key, 0);

    private static string? Text(object? key, int depth) => key switch
    {
        string text => text,
        long number => number.ToString(CultureInfo.InvariantCulture),
        BigInteger number => number.ToString(CultureInfo.InvariantCulture),
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        bool value => value ? "True" : "False",
        null => "None",
        ElementType type => type.Name,
        object?[] tuple when depth < MaxDepth => Join(tuple, depth),
        _ => null,
    };

    // Stops early, so that a tuple that is shared many times does not fill the memory.
    private static string? Join(object?[] tuple, int depth)
    {
        var joined = "";
        foreach (var item in tuple)
        {
            if (Text(item, depth + 1) is not { } text || joined.Length + text.Length > MaxLength)
                return null;
            joined += joined.Length == 0 ? text : $", {text}";
        }
        return $"({joined})";
    }
}

/// <summary>Says what an import in a pickle is that a file of weights does not need, and what to do instead.</summary>
internal static class PickleImports
{
    private const string NothingRun = "nothing of it was run";
    private const string SaveStates = "save only its tensors, with torch.save(model.state_dict(), …), or as safetensors";

    /// <summary>For old files that pickle a module together with its source.</summary>
    public const string WholeModule = $"it holds a whole pickled module with its source; {NothingRun}; {SaveStates}";

    private static readonly string[] Containers = ["omegaconf.", "pathlib", "datetime", "collections.defaultdict", "easydict", "box."];

    /// <returns>The end of a sentence that names the file.</returns>
    public static string Explain(string module, string name)
    {
        var import = $"{module}.{name}";
        if (import == "argparse.Namespace")
            return $"it holds an argparse.Namespace, the options of a training script; {NothingRun}; save it again without them "
                + "(or with vars(options))";
        if (module.Split('.')[0] == "numpy")
            return $"it holds NumPy values ({import}); {NothingRun}; save it again with plain numbers (value.item()) and tensors "
                + "(torch.from_numpy)";
        if (name.StartsWith("QInt", StringComparison.Ordinal) || name.StartsWith("QUInt", StringComparison.Ordinal)
            || name == "_rebuild_qtensor")
            return $"it holds quantised tensors ({import}); save it again in float32, with tensor.dequantize()";
        if (module == "torch._utils" && name.Contains("sparse", StringComparison.Ordinal))
            return $"it holds sparse tensors ({import}); save it again with tensor.to_dense()";
        if (module == "torch._utils" && name.StartsWith("_rebuild", StringComparison.Ordinal))
            return $"it holds tensors of a kind that has no plain data ({import}); save it again with ordinary tensors";
        if (module.StartsWith("__torch__", StringComparison.Ordinal))
            return $"it is a TorchScript program ({import}), not a file of weights; {NothingRun}; {SaveStates}";
        if (Array.Exists(Containers, start => import.StartsWith(start, StringComparison.Ordinal)))
            return $"it holds a value of the class {import} beside the tensors; {NothingRun}; save it again without it";
        return char.IsUpper(name.FirstOrDefault())
            ? $"it holds a whole object of the class {import}, which only that class's code could rebuild; {NothingRun}; {SaveStates}"
            : $"its pickle imports '{import}', which files of weights do not need; {NothingRun}";
    }
}
