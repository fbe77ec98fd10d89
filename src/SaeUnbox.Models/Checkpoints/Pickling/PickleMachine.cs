using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;

namespace SaeUnbox.Models;

/// <summary>
/// Reads a pickle as data. It knows the opcodes that PyTorch writes and the globals of an allow-list; nothing is ever imported,
/// called or built beyond them, and everything else is an error. Values are null, bool, long, BigInteger, double, string,
/// <c>List&lt;object?&gt;</c>, <c>object?[]</c> (tuples), <c>OrderedDictionary&lt;string, object?&gt;</c>, and what the globals make.
/// Opcodes: https://github.com/python/cpython/blob/main/Lib/pickletools.py.
/// </summary>
/// <param name="globals">"module.name" to a <see cref="PickleFunction"/> or a value.</param>
/// <param name="persistent">Resolves the tuples by which PyTorch refers to storages.</param>
internal sealed class PickleMachine(ByteSource source, IReadOnlyDictionary<string, object> globals, Func<object?[], object> persistent)
{
    /// <summary>
    /// Most values that may be on the stack, in the memo, or made: twice what a full U-Net has, and more where the file is large enough
    /// for them, so that they never take more memory than twice the file and 16 MB.
    /// </summary>
    private readonly int most = (int)Math.Clamp(source.File.Length / 64, 100_000, 500_000);

    private const int LongestInteger = 64;
    private const int LongestName = 200;

    private readonly List<object?> stack = [];
    private readonly List<int> marks = [];
    private readonly Dictionary<long, object?> memo = [];
    private int made;

    /// <summary>Runs to STOP and returns the value that is left.</summary>
    public object? Run()
    {
        while (true)
        {
            var opcode = source.ReadByte();
            if (opcode == '.') return stack.Count == 1 && marks.Count == 0 ? stack[0] : throw Broken("leaves no single value");
            Step(opcode);
            if (stack.Count > most || marks.Count > most || memo.Count > most || made > most) throw Broken("holds too many values");
        }
    }

    private void Step(byte opcode)
    {
        switch (opcode)
        {
            case 0x80: // PROTO
                if (source.ReadByte() > 5) throw Broken("is of an unknown protocol");
                break;
            case 0x95: // FRAME
                if (ReadUInt64() > (ulong)source.Left) throw Broken("announces a frame beyond its end");
                break;
            case (byte)'(': marks.Add(stack.Count); break;
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

            case (byte)'q': memo[source.ReadByte()] = Peek(); break;
            case (byte)'r': memo[ReadUInt32()] = Peek(); break;
            case 0x94: memo[memo.Count] = Peek(); break;
            case (byte)'h': Push(Recall(source.ReadByte())); break;
            case (byte)'j': Push(Recall(ReadUInt32())); break;

            case (byte)'c': Push(Global(source.ReadLine(LongestName), source.ReadLine(LongestName))); break;
            case 0x93: { var name = PopMany(2); Push(Global(name[0] as string, name[1] as string)); break; }
            case (byte)'R': Reduce(); break;
            case (byte)'b': Build(); break;
            case (byte)'Q': Push(persistent(Pop() as object?[] ?? throw Broken("refers to a storage by something other than a tuple"))); break;

            default: throw Broken($"has the opcode 0x{opcode:x2}, which no file of weights needs");
        }
    }

    private object Global(string? module, string? name) => globals.TryGetValue($"{module}.{name}", out var value)
        ? value : throw Broken($"asks for '{module}.{name}', which no file of weights needs; nothing of it was run");

    private void Reduce()
    {
        var arguments = Pop() as object?[] ?? throw Broken("calls something without a tuple of arguments");
        var function = Pop() as PickleFunction ?? throw Broken("calls something that is no function");
        Push(function(arguments));
    }

    /// <summary>Attributes set on a dictionary (a state dict's <c>_metadata</c>) are dropped; on anything else they are an error.</summary>
    private void Build()
    {
        var state = Pop();
        if (state is not OrderedDictionary<string, object?> || Peek() is not OrderedDictionary<string, object?>)
            throw Broken("sets the attributes of an object");
    }

    private OrderedDictionary<string, object?> SetItems(OrderedDictionary<string, object?> dictionary, object?[] items)
    {
        if (items.Length % 2 != 0) throw Broken("has a key without a value");
        for (var i = 0; i < items.Length; i += 2) dictionary[Key(items[i])] = items[i + 1];
        return dictionary;
    }

    private string Key(object? key) => key switch
    {
        string text => text,
        long number => number.ToString(CultureInfo.InvariantCulture),
        _ => throw Broken("has a dictionary whose keys are neither texts nor whole numbers"),
    };

    private object ReadInteger(long length)
    {
        if (length > LongestInteger) throw Broken($"has an integer of {length} bytes");
        var value = new BigInteger(Bytes(stackalloc byte[(int)length]));
        if (value >= long.MinValue && value <= long.MaxValue) return (long)value;
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
        made++;
        stack.Add(value);
    }

    /// <summary>The lowest place that may be popped: a mark guards what is below it.</summary>
    private int Floor => marks.Count == 0 ? 0 : marks[^1];

    private object? Peek() => stack.Count > Floor ? stack[^1] : throw Broken("takes a value from an empty stack");

    private object? Pop() => PopMany(1)[0];

    private object?[] PopMany(int count) => stack.Count - Floor >= count
        ? Take(stack.Count - count) : throw Broken("takes a value from an empty stack");

    private object?[] PopMark()
    {
        if (marks.Count == 0) throw Broken("lacks a mark");
        var from = marks[^1];
        marks.RemoveAt(marks.Count - 1);
        return Take(from);
    }

    private object?[] Take(int from)
    {
        var items = stack.GetRange(from, stack.Count - from).ToArray();
        stack.RemoveRange(from, items.Length);
        return items;
    }

    private T Top<T>() where T : class => Peek() as T ?? throw Broken("adds an item to something that is no container of its kind");

    private object? Recall(long index) => memo.TryGetValue(index, out var value)
        ? value : throw Broken($"recalls value {index}, which was never put");

    private CheckpointException Broken(string what) => source.File.Broken($"its pickle {what}");

}

/// <summary>A global that may be called: made of the arguments alone, with no effect outside.</summary>
internal delegate object? PickleFunction(object?[] arguments);
