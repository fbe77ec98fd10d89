using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>Converts the recipe's number formats to libtorch's.</summary>
public static class DtypeExtensions
{
    public static ScalarType ToScalarType(this Dtype dtype) => dtype switch
    {
        Dtype.Bf16 => ScalarType.BFloat16,
        Dtype.Fp16 => ScalarType.Float16,
        Dtype.Int8 => ScalarType.Int8,
        _ => ScalarType.Float32,
    };
}
