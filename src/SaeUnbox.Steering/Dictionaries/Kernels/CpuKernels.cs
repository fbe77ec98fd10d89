using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SaeUnbox.Steering;

/// <summary>
/// The kernels as loops over memory. Each row or feature is summed by one thread in a fixed order, so results do not
/// depend on the number of threads; a feature's gradients live in the cache only, never as whole matrices.
/// </summary>
/// <param name="threads">Number of threads; null: as many as the tensor library uses.</param>
internal sealed unsafe class CpuKernels(int? threads = null) : ISparseKernels
{
    public Tensor Decode(ActiveEntries entries, Tensor dictionary, Tensor bias, Nesting nesting)
    {
        var width = (int)dictionary.shape[1];
        var rows = entries.RowCount;
        var result = empty([nesting.Groups, rows, width], dtype: ScalarType.Float32);
        var lists = entries.ToArrays();
        var groupOf = nesting.GroupArray;
        var directions = TensorMemory.Floats(dictionary);
        var start = TensorMemory.Floats(bias);
        var target = TensorMemory.Floats(result);
        ForRanges((int)rows, 8, (from, to) =>
        {
            for (var row = from; row < to; row++)
            {
                for (var group = 0; group < nesting.Groups; group++)
                {
                    var sum = target + (group * rows + row) * width;
                    Copy(group == 0 ? start : sum - rows * width, sum, width);
                    for (var entry = lists.RowStarts[row]; entry < lists.RowStarts[row + 1]; entry++)
                    {
                        var feature = lists.Columns[entry];
                        if (groupOf[feature] == group && lists.Values[entry] != 0)
                            Vectors.AddScaled(lists.Values[entry], directions + (long)feature * width, sum, width);
                    }
                }
            }
        });
        KeepAlive(dictionary, bias);
        return result;
    }

    public Tensor EntryGradients(ActiveEntries entries, Tensor dictionary, Tensor upstream, Nesting nesting)
    {
        var width = (int)dictionary.shape[1];
        var rows = entries.RowCount;
        var lists = entries.ToArrays();
        var groupOf = nesting.GroupArray;
        var result = empty([lists.Columns.Length], dtype: ScalarType.Float32);
        var directions = TensorMemory.Floats(dictionary);
        var gradients = TensorMemory.Floats(upstream);
        var target = TensorMemory.Floats(result);
        ForRanges(lists.Columns.Length, 64, (from, to) =>
        {
            for (var entry = from; entry < to; entry++)
            {
                var feature = lists.Columns[entry];
                var gradient = gradients + (groupOf[feature] * rows + lists.Rows[entry]) * width;
                target[entry] = Vectors.Dot(gradient, directions + (long)feature * width, width);
            }
        });
        KeepAlive(dictionary, upstream);
        return result;
    }

    public void UpdateWeights(WeightUpdate update)
    {
        var features = (int)update.Dictionary.shape[0];
        var width = (int)update.Dictionary.shape[1];
        var rows = update.Entries.RowCount;
        var lists = update.Entries.ToArrays();
        var groupOf = update.Nesting.GroupArray;
        var (featureStarts, order) = ByFeature(lists.Columns, features);
        var deadSlots = Slots(update.Dead, features);

        var encoder = TensorMemory.Floats(update.EncoderWeight);
        var dictionary = TensorMemory.Floats(update.Dictionary);
        var encoderFirst = TensorMemory.Floats(update.EncoderMoments.First);
        var encoderSecond = TensorMemory.Floats(update.EncoderMoments.Second);
        var dictionaryFirst = TensorMemory.Floats(update.DictionaryMoments.First);
        var dictionarySecond = TensorMemory.Floats(update.DictionaryMoments.Second);
        var centred = TensorMemory.Floats(update.Centred);
        var upstream = TensorMemory.Floats(update.Upstream);
        var entryGradients = TensorMemory.Floats(update.PreActivationGradients);
        var deadEncoder = update.DeadEncoder is null ? null : TensorMemory.Floats(update.DeadEncoder);
        var deadDictionary = update.DeadDictionary is null ? null : TensorMemory.Floats(update.DeadDictionary);

        ForRanges(features, 16, (from, to) =>
        {
            var scratch = (float*)NativeMemory.AlignedAlloc((nuint)(2 * width) * sizeof(float), 64);
            var encoderGradient = scratch;
            var dictionaryGradient = scratch + width;
            try
            {
                for (var feature = from; feature < to; feature++)
                {
                    new Span<float>(scratch, 2 * width).Clear();
                    var featureUpstream = upstream + groupOf[feature] * rows * width;
                    for (var i = featureStarts[feature]; i < featureStarts[feature + 1]; i++)
                    {
                        var entry = order[i];
                        var row = (long)lists.Rows[entry] * width;
                        if (entryGradients[entry] != 0)
                            Vectors.AddScaled(entryGradients[entry], centred + row, encoderGradient, width);
                        if (lists.Values[entry] != 0)
                            Vectors.AddScaled(lists.Values[entry], featureUpstream + row, dictionaryGradient, width);
                    }

                    if (deadSlots is not null && deadSlots[feature] >= 0)
                    {
                        Vectors.AddScaled(1, deadEncoder + (long)deadSlots[feature] * width, encoderGradient, width);
                        Vectors.AddScaled(1, deadDictionary + (long)deadSlots[feature] * width, dictionaryGradient, width);
                    }

                    var offset = (long)feature * width;
                    var direction = dictionary + offset;
                    Vectors.Scale(1 / MathF.Sqrt(Vectors.Dot(direction, direction, width)), direction, width);
                    Vectors.AddScaled(-Vectors.Dot(direction, dictionaryGradient, width), direction, dictionaryGradient, width);
                    Vectors.Adam(
                        encoder + offset, encoderGradient, encoderFirst + offset, encoderSecond + offset, width, update.Adam);
                    Vectors.Adam(
                        direction, dictionaryGradient, dictionaryFirst + offset, dictionarySecond + offset, width, update.Adam);
                }
            }
            finally
            {
                NativeMemory.AlignedFree(scratch);
            }
        });
        GC.KeepAlive(update);
    }

    public void UpdateVector(Tensor parameter, Tensor gradient, AdamMoments moments, AdamStep step)
    {
        Vectors.Adam(
            TensorMemory.Floats(parameter),
            TensorMemory.Floats(gradient),
            TensorMemory.Floats(moments.First),
            TensorMemory.Floats(moments.Second),
            (int)parameter.numel(),
            step);
        KeepAlive(gradient, moments);
    }

    // Entries grouped by feature, each group in rising order: a counting sort.
    private static (int[] Starts, int[] Order) ByFeature(int[] columns, int features)
    {
        var starts = new int[features + 1];
        foreach (var feature in columns)
            starts[feature + 1]++;
        for (var feature = 0; feature < features; feature++)
            starts[feature + 1] += starts[feature];
        var next = starts.AsSpan(0, features).ToArray();
        var order = new int[columns.Length];
        for (var entry = 0; entry < columns.Length; entry++)
            order[next[columns[entry]]++] = entry;
        return (starts, order);
    }

    private static int[]? Slots(Tensor? dead, int features)
    {
        if (dead is null)
            return null;
        var slots = new int[features];
        Array.Fill(slots, -1);
        var slot = 0;
        foreach (var feature in MemoryMarshal.Cast<byte, long>(dead.bytes))
            slots[feature] = slot++;
        return slots;
    }

    private static void Copy(float* source, float* target, int length) =>
        new Span<float>(source, length).CopyTo(new Span<float>(target, length));

    // Ranges instead of single items keep the cost of delegate calls low.
    private void ForRanges(int count, int grain, Action<int, int> body)
    {
        var workers = threads ?? Math.Clamp(Threads.Count, 1, Environment.ProcessorCount);
        if (workers == 1 || count <= grain)
        {
            body(0, count);
            return;
        }

        var size = Math.Max(grain, (count + 4 * workers - 1) / (4 * workers));
        Parallel.For(
            0,
            (count + size - 1) / size,
            new ParallelOptions { MaxDegreeOfParallelism = workers },
            range => body(range * size, Math.Min(count, (range + 1) * size)));
    }

    private static void KeepAlive(object first, object second)
    {
        GC.KeepAlive(first);
        GC.KeepAlive(second);
    }
}

/// <summary>Vectorised loops over rows of floats. Fully optimised on the first call, so that the first step is not slow.</summary>
internal static unsafe class Vectors
{
    /// <summary>y += a x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled(float a, float* x, float* y, int length)
    {
        var factor = new Vector<float>(a);
        var i = 0;
        for (; i <= length - Vector<float>.Count; i += Vector<float>.Count)
            Vector.Store(Vector.FusedMultiplyAdd(factor, Vector.Load(x + i), Vector.Load(y + i)), y + i);
        for (; i < length; i++)
            y[i] = MathF.FusedMultiplyAdd(a, x[i], y[i]);
    }

    /// <summary>x *= a.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale(float a, float* x, int length)
    {
        var factor = new Vector<float>(a);
        var i = 0;
        for (; i <= length - Vector<float>.Count; i += Vector<float>.Count)
            Vector.Store(factor * Vector.Load(x + i), x + i);
        for (; i < length; i++)
            x[i] *= a;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot(float* x, float* y, int length)
    {
        // Two accumulators hide the latency of the fused multiply-add.
        var even = Vector<float>.Zero;
        var odd = Vector<float>.Zero;
        var i = 0;
        for (; i <= length - 2 * Vector<float>.Count; i += 2 * Vector<float>.Count)
        {
            even = Vector.FusedMultiplyAdd(Vector.Load(x + i), Vector.Load(y + i), even);
            odd = Vector.FusedMultiplyAdd(
                Vector.Load(x + i + Vector<float>.Count), Vector.Load(y + i + Vector<float>.Count), odd);
        }

        for (; i <= length - Vector<float>.Count; i += Vector<float>.Count)
            even = Vector.FusedMultiplyAdd(Vector.Load(x + i), Vector.Load(y + i), even);
        var sum = Vector.Sum(even + odd);
        for (; i < length; i++)
            sum = MathF.FusedMultiplyAdd(x[i], y[i], sum);
        return sum;
    }

    /// <summary>One Adam step of a row: moments and parameter in one pass over memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Adam(float* parameter, float* gradient, float* first, float* second, int length, in AdamStep step)
    {
        var gain1 = (float)(1 - step.Beta1);
        var beta2 = (float)step.Beta2;
        var gain2 = (float)(1 - step.Beta2);
        var scale = (float)(1 / step.SecondMomentScale);
        var epsilon = (float)step.Epsilon;
        var stepSize = (float)step.StepSize;
        var i = 0;
        for (; i <= length - Vector<float>.Count; i += Vector<float>.Count)
        {
            var g = Vector.Load(gradient + i);
            var m = Vector.Load(first + i);
            m += (g - m) * gain1;
            var v = Vector.Load(second + i) * beta2 + g * g * gain2;
            Vector.Store(m, first + i);
            Vector.Store(v, second + i);
            var denominator = Vector.SquareRoot(v) * scale + new Vector<float>(epsilon);
            Vector.Store(Vector.Load(parameter + i) - m / denominator * stepSize, parameter + i);
        }

        for (; i < length; i++)
        {
            var g = gradient[i];
            first[i] += (g - first[i]) * gain1;
            second[i] = second[i] * beta2 + g * g * gain2;
            parameter[i] -= first[i] / (MathF.Sqrt(second[i]) * scale + epsilon) * stepSize;
        }
    }
}

internal static unsafe class TensorMemory
{
    /// <summary>The address of a contiguous float32 CPU tensor; valid while the caller keeps the tensor alive.</summary>
    public static float* Floats(Tensor tensor)
    {
        if (tensor.device_type != DeviceType.CPU || tensor.dtype != ScalarType.Float32 || !tensor.is_contiguous())
            throw new ArgumentException($"A contiguous float32 tensor on the CPU is needed, not {tensor.dtype} on {tensor.device}.");
        if (tensor.numel() == 0)
            return null;
        // A span cannot be longer than an int, but only its address is needed.
        using var first = tensor.view(-1).narrow(0, 0, 1);
        return (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(first.bytes));
    }
}
