using TorchSharp;

namespace SaeUnbox.Models.Tests;

/// <summary>Tensors of every type and of unusual strides.</summary>
internal static class Samples
{
    public static readonly torch.ScalarType[] Types =
    [
        torch.ScalarType.Float64, torch.ScalarType.Float32, torch.ScalarType.Float16, torch.ScalarType.BFloat16, torch.ScalarType.Int64,
        torch.ScalarType.Int32, torch.ScalarType.Int16, torch.ScalarType.Int8, torch.ScalarType.Byte, torch.ScalarType.Bool,
    ];

    public static Dictionary<string, torch.Tensor> EveryType() =>
        Types.ToDictionary(type => $"of.{type}", type => Arithmetic.Range(0, 24, torch.float32).reshape(2, 3, 4).to(type));

    public static Dictionary<string, torch.Tensor> Awkward() => new()
    {
        ["scalar"] = torch.tensor(2.5f),
        ["empty"] = torch.empty([0, 3]),
        ["one"] = torch.ones([1, 1, 1]),
        ["column_major"] = Arithmetic.Range(0, 12, torch.float32).reshape(4, 3).t(),
        ["channels_last"] = Arithmetic.Range(0, 120, torch.float32).reshape(2, 4, 5, 3).permute(0, 3, 1, 2),
        ["slice"] = Arithmetic.Range(0, 100, torch.float32).reshape(10, 10).narrow(1, 2, 5).narrow(0, 3, 4),
        ["expanded"] = Arithmetic.Range(0, 3, torch.float32).reshape(3, 1).expand(3, 5),
        ["long"] = Arithmetic.Range(0, 3_000_000, torch.int32),
        ["long_transposed"] = Arithmetic.Range(0, 2_400_000, torch.int32).reshape(2, 1_200_000).t(),
        ["näme with \"quotes\" and \u2603"] = torch.ones([2]),
    };
}
