using TorchSharp;
using Xunit;

namespace SaeUnbox.Testing;

/// <summary>Comparisons of tensors that say by how much and where they failed.</summary>
public static class TensorAssert
{
    /// <summary>
    /// Every value within <paramref name="tolerance"/> (absolute) of the expected one; shapes alike, no NaN where none is expected.
    /// </summary>
    public static void Close(torch.Tensor expected, torch.Tensor actual, double tolerance, string what = "values")
    {
        SameShape(expected, actual);
        if (expected.numel() == 0)
            return;
        using var scope = torch.NewDisposeScope();
        var (left, right) = (Flat(expected, torch.float64), Flat(actual, torch.float64));
        var difference = (left - right).abs();
        var off = difference.IsAbove(tolerance).logical_or(difference.isnan()).logical_and(left.eq(right).logical_not())
            .logical_and(left.isnan().logical_and(right.isnan()).logical_not());
        var count = off.sum().item<long>();
        if (count == 0)
            return;
        var at = off.to(torch.int64).argmax().item<long>();
        Assert.Fail($"{what}: {count} of {expected.numel()} differ by more than {tolerance:g3} (largest "
            + $"{difference.max().item<double>():g4}); "
            + $"the first at [{Position(expected.shape, at)}]: expected {left[at].item<double>():g9}, got {right[at].item<double>():g9}.");
    }

    /// <summary>Every value as near as the limit has it for values of the expected size.</summary>
    public static void Close(torch.Tensor expected, torch.Tensor actual, Limit limit,
        string what = "values") => Close(expected, actual, limit.For(expected), what);

    /// <summary>The same shape and, bit for bit as numbers, the same values.</summary>
    public static void Same(torch.Tensor expected, torch.Tensor actual) => Close(expected, actual, 0);

    /// <summary>norm(actual - expected) / norm(expected) is at most <paramref name="tolerance"/>.</summary>
    public static void RelativelyClose(torch.Tensor expected, torch.Tensor actual, double tolerance)
    {
        SameShape(expected, actual);
        using var scope = torch.NewDisposeScope();
        var (left, right) = (Flat(expected, torch.float64), Flat(actual, torch.float64));
        var norm = left.norm().item<double>();
        var relative = (left - right).norm().item<double>() / (norm == 0 ? 1 : norm);
        Assert.True(relative <= tolerance, $"norm of difference / norm is {relative:g4}, allowed is {tolerance:g3}.");
    }

    public static void SameShape(torch.Tensor expected, torch.Tensor actual) =>
        Assert.True(expected.shape.SequenceEqual(actual.shape),
            $"expected shape [{string.Join(", ", expected.shape)}], got [{string.Join(", ", actual.shape)}].");

    private static torch.Tensor Flat(torch.Tensor tensor, torch.ScalarType dtype) => tensor.detach().cpu().to(dtype).reshape(-1);

    private static string Position(long[] shape, long flat)
    {
        var position = new long[shape.Length];
        for (var axis = shape.Length - 1; axis >= 0; axis--)
            (flat, position[axis]) = Math.DivRem(flat, shape[axis]);
        return string.Join(", ", position);
    }
}
