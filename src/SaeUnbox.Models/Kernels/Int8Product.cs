using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Weights in int8, with what products need to know of each output.</summary>
/// <param name="Values">[out, k, k, in] or [out, in], int8.</param>
/// <param name="Scales">[out], float32; a weight is its value times the scale.</param>
/// <param name="Sums">[out], float32: the sums of the values.</param>
internal sealed record Int8Kernel(Tensor Values, Tensor Scales, Tensor Sums)
{
    /// <summary>Rounds weights of the shape of the values, float32.</summary>
    public void Fill(Tensor weights)
    {
        using var scope = NewDisposeScope();
        Int8Rows.Fill(weights, Values, Scales);
        Sums.copy_(Values.flatten(1).sum(1, type: ScalarType.Int32));
    }
}

/// <summary>
/// Products of rows and a matrix, both rounded to int8. The sums are exact in int32, and are then multiplied by the scales of row and
/// output. A row's result depends on nothing but the row.
/// </summary>
internal static unsafe class Int8Product
{
    private const int Lanes = 16;

    /// <summary>x W^T + b over the last dimension, in the type of x.</summary>
    /// <param name="weight">W [out, in] in int8.</param>
    /// <param name="scales">[out], float32, of the rows of W.</param>
    /// <param name="bias">b [out].</param>
    /// <param name="added">Is added to the result, like it in shape and type; null for nothing.</param>
    public static Tensor Linear(Int8Rows x, Tensor weight, Tensor scales, Tensor? bias, Tensor? added = null)
    {
        using var scope = NewDisposeScope();
        var result = empty([x.Values.shape[0], weight.shape[0]], x.Type);
        Multiply(x.Values, x.Scales, weight, new(scales, Wide(bias, weight)), result, added?.contiguous());
        return result.view([.. x.Shape[..^1], weight.shape[0]]).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// value * gelu(gate), where value and gate are the halves of the product's outputs; for <see cref="SupportsGeglu"/>.
    /// </summary>
    /// <inheritdoc cref="Linear"/>
    public static Tensor Geglu(Int8Rows x, Tensor weight, Tensor scales, Tensor bias) =>
        Geglu(x, weight, scales, bias, rounds: false).Exact!;

    /// <summary>
    /// The rows of <see cref="Geglu(Int8Rows, Tensor, Tensor, Tensor)"/>, rounded bit for bit as if they had been stored.
    /// </summary>
    /// <inheritdoc cref="Linear"/>
    public static Int8Rows RoundedGeglu(Int8Rows x, Tensor weight, Tensor scales, Tensor bias) =>
        Geglu(x, weight, scales, bias, rounds: true).Rounded!;

    /// <summary>Whether <see cref="Geglu(Int8Rows, Tensor, Tensor, Tensor)"/> fits a width of value and gate together.</summary>
    public static bool SupportsGeglu(Tensor x, long outputs) =>
        CpuKernel.Supports(x) && outputs % (2 * Lanes) == 0 && outputs / 2 <= Int8Rows.MostColumns;

    private static (Tensor? Exact, Int8Rows? Rounded) Geglu(Int8Rows x, Tensor weight, Tensor scales, Tensor bias, bool rounds)
    {
        using var scope = NewDisposeScope();
        var (count, width) = (x.Values.shape[0], weight.shape[0] / 2);
        long[] shape = [.. x.Shape[..^1], width];
        var sums = Sums(x.Values, weight);
        var (exact, rounded) = rounds ? ((Tensor?)null, Int8Rows.Empty(shape, x.Type)) : (empty(shape, x.Type), null);
        var (wideBias, from, factors) = (Wide(bias, weight), Address(sums), Address(x.Scales));
        var columns = (Address(scales), Address(wideBias), (nint)0);
        var (to, values, rowScales) = (Address(exact), Address(rounded?.Values), Address(rounded?.Scales));
        if (x.Type == ScalarType.Float32)
            Run<Float32Lanes>();
        else
            Run<BFloat16Lanes>();
        GC.KeepAlive(scales);
        exact?.MoveToOuterDisposeScope();
        rounded?.MoveToOuterDisposeScope();
        return (exact, rounded);

        void Run<T>()
            where T : struct, ILanes => CpuKernel.Rows(count, 2 * width, (first, end) =>
        {
            var scratch = new byte[exact is null ? width * T.Bytes : 0];
            fixed (byte* buffer = scratch)
                for (var row = first; row < end; row++)
                {
                    var target = exact is null ? buffer : (byte*)to + row * width * T.Bytes;
                    GegluRow<T>((int*)from + row * 2 * width, ((float*)factors)[row], columns, target, width);
                    if (exact is null)
                        ((float*)rowScales)[row] = Int8Rows.RoundRow<T>(target, (sbyte*)values + row * width, width);
                }
        });
    }

    /// <summary>Multiplies rounded rows, and scales the sums.</summary>
    /// <param name="rows">[N, in], int8, with <paramref name="rowScales"/> [N].</param>
    /// <param name="result">[N, out], contiguous; receives sums * row scale * column scale + column shift + added.</param>
    /// <param name="added">Like the result, contiguous; null for nothing.</param>
    /// <param name="offsets">[N], float32: what each row is offset by, times the weights of the columns; null for nothing.</param>
    public static void Multiply(Tensor rows, Tensor rowScales, Tensor weight, Columns columns, Tensor result, Tensor? added = null,
        Tensor? offsets = null)
    {
        using var scope = NewDisposeScope();
        var (sums, width) = (Sums(rows, weight), weight.shape[0]);
        var (from, to, plus, factors, shifts) = (Address(sums), Address(result), Address(added), Address(rowScales), Address(offsets));
        var addresses = columns.Addresses;
        if (result.dtype == ScalarType.Float32)
            Run<Float32Lanes>();
        else
            Run<BFloat16Lanes>();
        GC.KeepAlive(columns);
        GC.KeepAlive(added);

        void Run<T>()
            where T : struct, ILanes => CpuKernel.Rows(rows.shape[0], width, (first, end) =>
        {
            for (var row = first; row < end; row++)
            {
                var start = row * width * T.Bytes;
                ScaleRow<T>((int*)from + row * width, ((float*)factors)[row], shifts == 0 ? 0 : ((float*)shifts)[row], addresses,
                    (byte*)to + start, plus == 0 ? null : (byte*)plus + start, width);
            }
        });
    }

    /// <summary>[out], float32, or zeros.</summary>
    public static Tensor Wide(Tensor? bias, Tensor weight) =>
        bias?.to_type(ScalarType.Float32).contiguous() ?? zeros([weight.shape[0]], ScalarType.Float32);

    private static Tensor Sums(Tensor rows, Tensor weight)
    {
        OperationCount.Current?.Add(2 * rows.numel() * weight.shape[0]);
        return ScriptedOperators.Int8Product(rows, weight.t());
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScaleRow<T>(int* sums, float factor, float offset, (nint Scales, nint Shifts, nint Weights) columns, void* to,
        void* added, long width)
        where T : struct, ILanes
    {
        var scales = (float*)columns.Scales;
        var shifts = (float*)columns.Shifts;
        var weights = (float*)columns.Weights;
        var (whole, wide, shifted) = (width - width % Lanes, Vector512.Create(factor), Vector512.Create(offset));
        for (var i = 0L; i < whole; i += Lanes)
        {
            var y = Scale(sums, wide, scales, shifts, i);
            if (weights is not null)
                y = Vector512.FusedMultiplyAdd(shifted, Vector512.Load(weights + i), y);
            if (added is not null)
                y += T.Load(added, i);
            T.Store(y, to, i);
        }

        for (var i = whole; i < width; i++)
        {
            var y = MathF.FusedMultiplyAdd(sums[i], factor * scales[i], shifts[i]);
            if (weights is not null)
                y = MathF.FusedMultiplyAdd(offset, weights[i], y);
            T.StoreOne(added is null ? y : y + T.One(added, i), to, i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GegluRow<T>(int* sums, float factor, (nint Scales, nint Shifts, nint Weights) columns, void* to, long width)
        where T : struct, ILanes
    {
        var scales = (float*)columns.Scales;
        var shifts = (float*)columns.Shifts;
        var wide = Vector512.Create(factor);
        for (var i = 0L; i < width; i += Lanes)
            T.Store(Scale(sums, wide, scales, shifts, i) * Gelu.Compute(Scale(sums, wide, scales, shifts, width + i)), to, i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Scale(int* sums, Vector512<float> factor, float* scales, float* shifts, long i) =>
        Vector512.FusedMultiplyAdd(
            Vector512.ConvertToSingle(Vector512.Load(sums + i)), factor * Vector512.Load(scales + i), Vector512.Load(shifts + i));

    private static nint Address(Tensor? tensor) => tensor is null ? 0 : (nint)CpuKernel.Address(tensor);

    /// <summary>What the sums of the columns, the outputs, are scaled and shifted by: float32, [out], contiguous.</summary>
    /// <param name="Scales">Factors.</param>
    /// <param name="Shifts">Are added.</param>
    /// <param name="Weights">Factors of the offsets of rows; null if they have none.</param>
    internal sealed record Columns(Tensor Scales, Tensor Shifts, Tensor? Weights = null)
    {
        /// <summary>Valid as long as the tensors are.</summary>
        public (nint Scales, nint Shifts, nint Weights) Addresses => (Address(Scales), Address(Shifts), Address(Weights));
    }
}

/// <summary>Operators of libtorch that TorchSharp does not name, reached through a script. They take tensors only.</summary>
internal static class ScriptedOperators
{
    private static readonly Lazy<jit.CompilationUnit> Unit =
        new(() => jit.compile("def product(a, b):\n    return torch._int_mm(a, b)\n"));

    /// <summary>The product of int8 matrices [N, K] and [K, M], in int32.</summary>
    public static Tensor Int8Product(Tensor a, Tensor b) => (Tensor)Unit.Value.invoke("product", a, b)!;
}
