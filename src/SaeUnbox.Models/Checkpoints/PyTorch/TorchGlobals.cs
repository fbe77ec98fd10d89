namespace SaeUnbox.Models;

/// <summary>
/// The globals that files of weights need: those that torch.load takes with weights_only. Each only describes data. Their arguments are
/// defined in PyTorch's torch/_utils.py, torch/_tensor.py and torch/storage.py.
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

    /// <summary>Types that no tensor is read in, but that configurations name.</summary>
    private static readonly string[] OtherDTypes =
    [
        "complex32", "complex64", "complex128", "cfloat", "cdouble", "chalf", "qint8", "quint8", "qint32", "quint4x2", "quint2x4", "bits8",
        "bits16", "bits1x8", "bits2x4", "bits4x2", "float4_e2m1fn_x2",
    ];

    public IReadOnlyDictionary<string, object> AllowList()
    {
        PickleFunction parameter = Parameter, tensor = _ => throw Broken("torch.Tensor");
        var list = new Dictionary<string, object>
        {
            ["collections.OrderedDict"] = (PickleFunction)OrderedDict,
            ["collections.Counter"] = (PickleFunction)(arguments => arguments is [OrderedDictionary<string, object?> counts]
                ? counts : arguments is [] ? new OrderedDictionary<string, object?>() : throw Broken("Counter")),
            ["_codecs.encode"] = (PickleFunction)(arguments => arguments is [string bytes, ..] ? bytes : throw Broken("encode")),
            ["torch._utils._rebuild_tensor"] = (PickleFunction)(arguments => Tensor(arguments, 4, null)),
            ["torch._utils._rebuild_tensor_v2"] = (PickleFunction)(arguments => Tensor(arguments, 6, null)),
            ["torch._utils._rebuild_tensor_v3"] = (PickleFunction)TensorOfDType,
            ["torch._utils._rebuild_parameter"] = parameter,
            ["torch._utils._rebuild_parameter_with_state"] = parameter,
            ["torch._utils._rebuild_device_tensor_from_cpu_tensor"] = parameter,
            ["torch.nn.parameter.Parameter"] = parameter,
            ["torch.nn.parameter.Buffer"] = parameter,
            ["torch.Tensor"] = tensor,
            ["torch.serialization._get_layout"] = (PickleFunction)(arguments =>
                arguments is [string layout] ? layout : throw Broken("_get_layout")),
            ["torch.Size"] = (PickleFunction)(arguments => arguments is [object?[] sizes] ? sizes : throw Broken("torch.Size")),
            ["torch.device"] = (PickleFunction)(arguments => arguments is [string name, ..] ? name : throw Broken("torch.device")),
        };
        object[] rebuilders = [.. list.Where(item => item.Key.StartsWith("torch._utils.", StringComparison.Ordinal))
            .Select(item => item.Value)];
        list["torch._tensor._rebuild_from_type_v2"] =
            (PickleFunction)(arguments => TensorOfType(arguments, rebuilders, [parameter, tensor]));
        foreach (var module in (string[])["builtins", "__builtin__"])
        {
            list[$"{module}.set"] = list[$"{module}.frozenset"] = (PickleFunction)Set;
            list[$"{module}.complex"] = (PickleFunction)(arguments => arguments is [double, double] ? arguments : throw Broken("complex"));
            list[$"{module}.bytearray"] = (PickleFunction)(arguments => arguments is [string bytes, ..]
                ? bytes
                : throw Broken("bytearray"));
        }
        foreach (var name in OtherDTypes)
            list[$"torch.{name}"] = name;
        foreach (var kind in StorageClass.All)
            list[$"torch.{kind.Name}"] = list[$"torch.storage.{kind.Name}"] = kind;
        foreach (var (name, element) in DTypes)
            list[$"torch.{name}"] = ElementType.Find(element)!;
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
            var (key, value) = pair switch
            {
                List<object?> and [var first, var one] => (PickleKey.Text(first), one),
                object?[] and [var first, var one] => (PickleKey.Text(first), one),
                _ => (null, null),
            };
            if (key is null || !dictionary.TryAdd(key, value))
                throw Broken("OrderedDict");
        }
        return dictionary;
    }

    private List<object?> Set(object?[] arguments) => arguments switch
    {
        [] => [],
        [List<object?> items] => items,
        [object?[] items] => [.. items],
        _ => throw Broken("set"),
    };

    /// <summary>Arguments: data, requires_grad, backward_hooks, … Only the first one affects the data.</summary>
    private TorchTensor Parameter(object?[] arguments) => arguments is [TorchTensor data, ..] ? data : throw Broken("_rebuild_parameter");

    /// <summary>Arguments: function, type, arguments of the function, attributes. Attributes are dropped.</summary>
    private TorchTensor TensorOfType(object?[] arguments, object[] rebuilders, object[] types) =>
        arguments is [PickleFunction rebuild, PickleFunction type, object?[] values, ..]
            && rebuilders.Contains(rebuild) && types.Contains(type) && rebuild(values) is TorchTensor data
            ? data : throw Broken("_rebuild_from_type_v2");

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
