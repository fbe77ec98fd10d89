using System.Buffers.Binary;
using System.Collections;
using System.Text;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>Writes files for <c>torch.load</c> (also with <c>weights_only=True</c>), atomically.</summary>
public static class TorchFileWriter
{
    private const string Folder = "archive";

    /// <param name="value">
    /// A tensor, or a dictionary with tensors, numbers, strings, bools, null, lists and dictionaries. Tensors keep their memory order: a
    /// column-major matrix stays column-major.
    /// </param>
    /// <exception cref="CheckpointException">The file cannot be written.</exception>
    /// <exception cref="ArgumentException">A value has an unsupported type.</exception>
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
                    var length = storage.numel() * storage.element_size();
                    zip.Add($"{Folder}/data/{key}", length, target => TensorWriter.Write(target, storage));
                }
                zip.Add($"{Folder}/version", 2, target => target.Write("3\n"u8));
                zip.Finish();
            });
        }
        finally
        {
            foreach (var storage in writer.Storages)
                storage.Dispose();
        }
    }
}

/// <summary>
/// Writes values as a pickle of protocol 2, as <c>torch.save</c> does, and collects the storages of the tensors in the order of their keys.
/// </summary>
internal sealed class PickleWriter
{
    private const int MaxDepth = 64;

    private readonly MemoryStream _pickle = new();
    private readonly List<torch.Tensor> _storages = [];

    /// <summary>
    /// Views of the tensors with axes in memory order, so that their row-major elements are the storages. The caller disposes them.
    /// </summary>
    public IReadOnlyList<torch.Tensor> Storages => _storages;

    public byte[] Write(object? value)
    {
        _pickle.Write([0x80, 2]);
        WriteValue(value, 0);
        _pickle.WriteByte((byte)'.');
        return _pickle.ToArray();
    }

    private void WriteValue(object? value, int depth)
    {
        if (depth > MaxDepth)
            throw new ArgumentException($"The values to save are nested deeper than {MaxDepth} levels.");
        switch (value)
        {
            case null: _pickle.WriteByte((byte)'N'); break;
            case bool flag: _pickle.WriteByte(flag ? (byte)0x88 : (byte)0x89); break;
            case int number: WriteInteger(number); break;
            case long number: WriteInteger(number); break;
            case float number: WriteDouble(number); break;
            case double number: WriteDouble(number); break;
            case string text: WriteText(text); break;
            case torch.Tensor tensor: WriteTensor(tensor); break;
            case IEnumerable<KeyValuePair<string, torch.Tensor>> state:
                WriteDictionary(state.Select(pair => KeyValuePair.Create(pair.Key, (object?)pair.Value)), depth);
                break;
            case IEnumerable<KeyValuePair<string, object?>> dictionary: WriteDictionary(dictionary, depth); break;
            case IEnumerable list: WriteList(list, depth); break;
            default:
                throw new ArgumentException(
                    $"A value of type {value.GetType().Name} cannot be saved; "
                    + "use tensors, numbers, strings, bools, dictionaries and lists.");
        }
    }

    private void WriteDictionary(IEnumerable<KeyValuePair<string, object?>> items, int depth)
    {
        _pickle.Write("}("u8);
        foreach (var (key, value) in items)
        {
            WriteText(key);
            WriteValue(value, depth + 1);
        }
        _pickle.WriteByte((byte)'u');
    }

    private void WriteList(IEnumerable items, int depth)
    {
        _pickle.Write("]("u8);
        foreach (var item in items)
            WriteValue(item, depth + 1);
        _pickle.WriteByte((byte)'e');
    }

    /// <summary>Keeps the strides of a dense tensor, such as a column-major matrix. Writes a view with gaps row-major.</summary>
    private void WriteTensor(torch.Tensor tensor)
    {
        var (shape, strides) = (tensor.shape, tensor.stride());
        var order = StoredTensor.DenseOrder(shape, strides);
        if (order is null)
            (order, strides) = (Enumerable.Range(0, shape.Length).ToArray(), StoredTensor.RowMajor(shape));
        var key = $"{_storages.Count}";
        using (torch.no_grad())
            _storages.Add(tensor.permute(Array.ConvertAll(order, axis => (long)axis)).DetachFromDisposeScope());

        WriteGlobal("torch._utils", "_rebuild_tensor_v2");
        _pickle.Write("(("u8);
        WriteText("storage");
        WriteGlobal("torch", StorageClass.NameFor(tensor.dtype));
        WriteText(key);
        WriteText("cpu");
        WriteInteger(tensor.numel());
        _pickle.Write("tQ"u8);
        WriteInteger(0);
        WriteTuple(shape);
        WriteTuple(strides);
        _pickle.WriteByte(0x89);
        WriteGlobal("collections", "OrderedDict");
        _pickle.Write(")RtR"u8);
    }

    private void WriteTuple(long[] numbers)
    {
        _pickle.WriteByte((byte)'(');
        foreach (var number in numbers)
            WriteInteger(number);
        _pickle.WriteByte((byte)'t');
    }

    private void WriteGlobal(string module, string name) => _pickle.Write(Encoding.ASCII.GetBytes($"c{module}\n{name}\n"));

    private void WriteInteger(long number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        if (number is >= byte.MinValue and <= byte.MaxValue)
            _pickle.Write([(byte)'K', bytes[0]]);
        else if (number is >= int.MinValue and <= int.MaxValue)
            _pickle.Write([(byte)'J', .. bytes[..4]]);
        else
            _pickle.Write([0x8a, sizeof(long), .. bytes]);
    }

    private void WriteDouble(double number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(double)];
        BinaryPrimitives.WriteDoubleBigEndian(bytes, number);
        _pickle.Write([(byte)'G', .. bytes]);
    }

    private void WriteText(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        _pickle.Write([(byte)'X', .. length]);
        _pickle.Write(bytes);
    }
}
