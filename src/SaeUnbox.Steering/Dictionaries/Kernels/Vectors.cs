using System.Numerics;
using System.Runtime.CompilerServices;

namespace SaeUnbox.Steering;

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
