namespace SaeUnbox.Models;

/// <summary>
/// The globals that a file of weights needs, and no others; each only describes data. What they take is laid down in
/// torch/_utils.py and torch/storage.py of PyTorch.
/// </summary>
internal sealed class TorchGlobals(SourceFile file)
{
    private const int MostAxes = 64;

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
        foreach (var kind in StorageClass.All) list[$"torch.{kind.Name}"] = list[$"torch.storage.{kind.Name}"] = kind;
        foreach (var (name, element) in DTypes) list[$"torch.{name}"] = ElementType.Find(element)!;
        return list;
    }

    private OrderedDictionary<string, object?> OrderedDict(object?[] arguments)
    {
        var dictionary = new OrderedDictionary<string, object?>();
        if (arguments is []) return dictionary;
        if (arguments is not [List<object?> pairs]) throw Broken("OrderedDict");
        foreach (var pair in pairs)
        {
            if (pair is List<object?> and [string first, var one]) dictionary[first] = one;
            else if (pair is object?[] and [string second, var two]) dictionary[second] = two;
            else throw Broken("OrderedDict");
        }
        return dictionary;
    }

    private TorchTensor Parameter(object?[] arguments) => arguments is [TorchTensor data, ..] ? data : throw Broken("_rebuild_parameter");

    private TorchTensor TensorOfDType(object?[] arguments) =>
        Tensor(arguments, 7, arguments.Length > 6 ? arguments[6] as ElementType ?? throw Broken("_rebuild_tensor_v3") : null);

    /// <summary>(storage, offset, size, stride, requires_grad, backward_hooks, …): the last ones do not matter for data.</summary>
    private TorchTensor Tensor(object?[] arguments, int least, ElementType? dtype)
    {
        if (arguments.Length < least || arguments is not [TorchStorage storage, long offset, object?[] sizes, object?[] steps, ..])
            throw Broken("_rebuild_tensor");
        var element = dtype ?? storage.Element;
        var (shape, strides) = (Numbers(sizes), Numbers(steps));
        if (shape.Length != strides.Length || offset < 0) throw Broken("_rebuild_tensor");
        try
        {
            var capacity = storage.Bytes / element.Bytes;
            var count = shape.Aggregate(1L, (product, size) => checked(product * Math.Max(1, size)));
            if (shape.Contains(0)) count = 0;
            if (checked(offset + StoredTensor.ExtentOf(shape, strides)) > capacity)
                throw file.Broken($"a tensor of shape {Shapes.Text(shape)}, strides {Shapes.Text(strides)} and offset {offset} lies outside "
                    + $"its storage of {capacity} elements");
            if (count > capacity)
                throw file.Broken($"a tensor of shape {Shapes.Text(shape)} repeats the {capacity} elements of its storage, which is not supported");
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
        if (values.Length > MostAxes) throw Broken("_rebuild_tensor");
        return Array.ConvertAll(values, value => value is long number and >= 0 ? number : throw Broken("_rebuild_tensor"));
    }

    private CheckpointException Broken(string function) => file.Broken($"its pickle gives {function} arguments that PyTorch would not write");
}
