using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Times work and a matrix product of the same number type in turn. The speed of a shared machine drifts; the ratio of two
/// measurements made one after the other hardly does.
/// </summary>
internal sealed class Meter : IDisposable
{
    private const long Side = 2048;
    private const int ProductsPerSample = 3;

    private readonly int _repeats;
    private readonly Func<TimeSpan> _clock;
    private readonly IDictionary<string, float[]>? _reference;
    private readonly Tensor _left, _right;
    private readonly List<double> _products = [];

    public Meter(BenchmarkSettings settings)
    {
        Precision = Precision.For(settings.Dtype.ToScalarType(), OnDevice.Open(settings.Device));
        _clock = settings.OnProcessorTime ? () => Environment.CpuUsage.TotalTime : () => Stopwatch.GetElapsedTime(0);
        _repeats = settings.Repeats;
        _reference = settings.Reference;
        using var generator = new Generator(1);
        _left = randn([Side, Side], generator: generator).to(Precision.Arithmetic, Precision.Device).DetachFromDisposeScope();
        _right = randn([Side, Side], generator: generator).to(Precision.Arithmetic, Precision.Device).DetachFromDisposeScope();
        Product();
        _products.Clear();
    }

    public Precision Precision { get; }

    /// <summary>The median over all products timed so far.</summary>
    public Measurement MatrixProduct => new($"matrix product {Side}^3", Median(_products), ProductOperations / 1e9, 1);

    private static double ProductOperations => 2.0 * Side * Side * Side;

    /// <summary>Like <see cref="Time(string, Action, long?)"/>, and compares the work's result with that of the reference.</summary>
    public Measurement Time(string part, Func<Tensor> work)
    {
        var row = Time(part, () => { work(); });
        if (_reference is null)
            return row;
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var result = work().to(ScalarType.Float32, CPU).contiguous().data<float>().ToArray();
        if (_reference.TryAdd(part, result))
            return row;
        var (difference, size) = (0.0, 0.0);
        foreach (var (value, wanted) in result.Zip(_reference[part]))
            (difference, size) = (difference + Math.Pow(value - wanted, 2), size + Math.Pow(wanted, 2));
        return row with { Difference = Math.Sqrt(difference / size) };
    }

    /// <summary>Runs the work once without timing it, then times it between matrix products.</summary>
    /// <param name="operations">Floating-point operations of one run; null counts those of the model's layers.</param>
    public Measurement Time(string part, Action work, long? operations = null)
    {
        double count;
        using (var counter = new OperationCount())
        {
            Seconds(work);
            count = operations ?? counter.Total;
        }
        var (times, shares) = (new List<double>(), new List<double>());
        var before = Product();
        for (var i = 0; i < _repeats; i++)
        {
            var seconds = Seconds(work);
            var after = Product();
            times.Add(seconds);
            shares.Add(count / seconds / (ProductOperations / ((before + after) / 2)));
            before = after;
        }
        return new Measurement(part, Median(times), count / 1e9, count > 0 ? Median(shares) : null);
    }

    public void Dispose()
    {
        _left.Dispose();
        _right.Dispose();
    }

    private double Product()
    {
        var seconds = Seconds(() =>
        {
            for (var i = 0; i < ProductsPerSample; i++)
                _left.mm(_right);
        }) / ProductsPerSample;
        _products.Add(seconds);
        return seconds;
    }

    private double Seconds(Action work)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var start = _clock();
        work();
        if (Precision.Device.type == DeviceType.CUDA)
            cuda.synchronize(Precision.Device);
        return (_clock() - start).TotalSeconds;
    }

    private static double Median(IReadOnlyCollection<double> values) => values.Order().ElementAt(values.Count / 2);
}

/// <summary>The time of one part of a model.</summary>
/// <param name="Part">What was timed.</param>
/// <param name="Seconds">Median of its runs.</param>
/// <param name="GigaOperations">Floating-point operations of one run, in 10^9.</param>
/// <param name="Share">Its operations per second as a share of those of the matrix product, median of its runs; null if unknown.</param>
public sealed record Measurement(string Part, double Seconds, double GigaOperations, double? Share)
{
    /// <summary>10^9 operations per second.</summary>
    public double Rate => GigaOperations / Seconds;

    /// <summary>Relative L2 distance of the part's result from the reference; null if there is none.</summary>
    public double? Difference { get; init; }

    /// <summary>Bytes of the weights in memory; null unless loading was timed.</summary>
    public long? WeightBytes { get; init; }

    /// <summary>The peak growth of the process during loading, in bytes; null unless loading was timed and the system reports it.</summary>
    public long? PeakBytes { get; init; }
}

/// <summary>The peak growth of this process, in resident bytes, since the instance was created. GPU memory does not count.</summary>
public sealed class PeakMemory
{
    private const string ClearRefs = "/proc/self/clear_refs";

    private readonly bool _isReset = TryReset();
    private readonly long _before, _peak;

    public PeakMemory()
    {
        using var process = Process.GetCurrentProcess();
        (_before, _peak) = (process.WorkingSet64, process.PeakWorkingSet64);
    }

    /// <summary>The peak of the whole process in bytes, since it started or since the last instance was created.</summary>
    public static long OfProcess
    {
        get
        {
            using var process = Process.GetCurrentProcess();
            return process.PeakWorkingSet64;
        }
    }

    /// <summary>In bytes; null if an earlier, higher peak hides it and the system cannot reset that.</summary>
    public long? Growth => OfProcess is var now && (_isReset || now > _peak) ? Math.Max(0, now - _before) : null;

    // On Linux, writing "5" sets the peak (VmHWM) to the current resident size, see proc(5).
    private static bool TryReset()
    {
        try
        {
            using var file = new FileStream(ClearRefs, FileMode.Open, FileAccess.Write);
            file.Write("5"u8);
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
