namespace SaeUnbox.Models;

/// <summary>
/// Turns what a pickle held into a plain tree and a list of named tensors: keys of nested dictionaries and places in lists are joined by
/// dots ("state_dict.encoder.weight"); a bare tensor's name is empty. Bounded in depth and size, so cycles and repeated parts end in an error.
/// </summary>
internal sealed class TorchTree(SourceFile file)
{
    private const int Deepest = 64;
    private const int MostNodes = 500_000;
    private const int LongestName = 1024;

    private readonly List<StoredTensor> tensors = [];
    private readonly HashSet<string> names = [];
    private long bytes;
    private int nodes;

    public IReadOnlyList<StoredTensor> Tensors => tensors;

    public object? Convert(object? value) => Convert(value, "", 0);

    private object? Convert(object? value, string name, int depth)
    {
        if (depth > Deepest) throw file.Broken($"its values are nested deeper than {Deepest} levels");
        if (++nodes > MostNodes) throw file.Broken($"it holds more than {MostNodes} values");
        if (name.Length > LongestName) throw file.Broken($"the name '{name}' is longer than {LongestName} letters");
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
        foreach (var (key, value) in source) result.Add(key, Convert(value, Join(name, key), depth + 1));
        return result;
    }

    private List<object?> Items(IReadOnlyList<object?> source, string name, int depth)
    {
        var result = new List<object?>(source.Count);
        for (var i = 0; i < source.Count; i++) result.Add(Convert(source[i], Join(name, $"{i}"), depth + 1));
        return result;
    }

    private TensorEntry Add(TorchTensor tensor, string name)
    {
        if (!names.Add(name)) throw file.Broken($"it names two tensors '{name}'");
        var entry = new TensorEntry(name, tensor.Element, tensor.Shape);
        // Tensors may share a storage, as tied weights do; a small file must not turn into a huge model that way.
        bytes = checked(bytes + entry.Count * tensor.Element.Bytes + name.Length);
        if (bytes > 2 * file.Length)
            throw file.Broken($"its tensors share their storages so often that they need more than twice the file's {file.Length} bytes");
        var position = tensor.Storage.Position + tensor.Offset * tensor.Element.Bytes;
        tensors.Add(new StoredTensor(entry, file, position, tensor.Strides, tensor.Storage.Verify));
        return entry;
    }

    private static string Join(string path, string key) => path.Length == 0 ? key : $"{path}.{key}";
}
