using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Cli.Bench;

/// <summary>
/// Times work next to a matrix product of the same type, run by run: shared machines speed up and slow down, a ratio of
/// neighbours hardly moves.
/// </summary>
/// <remarks>On processor time, work of one thread is timed whatever else the machine does; waiting threads would count as idle.</remarks>
internal sealed class Meter : IDisposable
{
    private const long Side = 2048;
    private const int ProductsPerSample = 3;

    private readonly Device device;
    private readonly int repeats;
    private readonly Func<TimeSpan> clock;
    private readonly Tensor left, right;
    private readonly List<double> products = [];

    public Meter(Precision precision, int repeats, bool onProcessorTime = false)
    {
        clock = onProcessorTime ? () => Environment.CpuUsage.TotalTime : () => Stopwatch.GetElapsedTime(0);
        (device, this.repeats) = (precision.Device, repeats);
        using var generator = new Generator(1);
        left = randn([Side, Side], generator: generator).to(precision.Arithmetic, device).DetachFromDisposeScope();
        right = randn([Side, Side], generator: generator).to(precision.Arithmetic, device).DetachFromDisposeScope();
        Product();
        products.Clear();
    }

    /// <summary>The product itself, over all its runs.</summary>
    public Measurement MatrixProduct => new($"matrix product {Side}^3", Median(products), ProductOperations / 1e9, 1);

    private static double ProductOperations => 2.0 * Side * Side * Side;

    /// <summary>Runs the work once unmeasured, then times it between products.</summary>
    /// <param name="known">Operations of the work's products, where they are not those of a model's layers.</param>
    public Measurement Time(string part, Action work, long? known = null)
    {
        long operations;
        using (var count = new OperationCount())
        {
            Seconds(work);
            operations = known ?? count.Total;
        }
        var (times, shares) = (new List<double>(), new List<double>());
        var before = Product();
        for (var i = 0; i < repeats; i++)
        {
            var seconds = Seconds(work);
            var after = Product();
            times.Add(seconds);
            shares.Add(operations / seconds / (ProductOperations / ((before + after) / 2)));
            before = after;
        }
        return new Measurement(part, Median(times), operations / 1e9, operations > 0 ? Median(shares) : null);
    }

    public void Dispose()
    {
        left.Dispose();
        right.Dispose();
    }

    private double Product()
    {
        var seconds = Seconds(() =>
        {
            for (var i = 0; i < ProductsPerSample; i++) left.mm(right);
        }) / ProductsPerSample;
        products.Add(seconds);
        return seconds;
    }

    private double Seconds(Action work)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var start = clock();
        work();
        if (device.type == DeviceType.CUDA) cuda.synchronize(device);
        return (clock() - start).TotalSeconds;
    }

    private static double Median(IReadOnlyCollection<double> values) => values.Order().ElementAt(values.Count / 2);
}

/// <summary>One line of a benchmark.</summary>
/// <param name="Part">What was timed.</param>
/// <param name="Seconds">Median of its runs.</param>
/// <param name="GigaOperations">Operations of its products, in 10^9.</param>
/// <param name="Share">Median, over the runs, of its rate as a share of the matrix product's rate right before and after it.</param>
internal sealed record Measurement(string Part, double Seconds, double GigaOperations, double? Share)
{
    /// <summary>10^9 operations a second.</summary>
    public double Rate => GigaOperations / Seconds;

    /// <summary>Of loading: the bytes of the weights in memory.</summary>
    public long? WeightBytes { get; init; }

    /// <summary>Of loading: the most bytes that the process grew by; null where the system does not tell.</summary>
    public long? PeakBytes { get; init; }
}

/// <summary>The most memory that this process grew by since this was made: resident bytes, weights on a GPU not counted.</summary>
internal sealed class PeakMemory
{
    private const string Marks = "/proc/self/clear_refs";

    private readonly bool isReset = TryReset();
    private readonly long before, peak;

    public PeakMemory()
    {
        using var process = Process.GetCurrentProcess();
        (before, peak) = (process.WorkingSet64, process.PeakWorkingSet64);
    }

    /// <summary>Bytes of the whole process, since it began or since the last that was made.</summary>
    public static long OfProcess
    {
        get
        {
            using var process = Process.GetCurrentProcess();
            return process.PeakWorkingSet64;
        }
    }

    /// <summary>Bytes; null where it lies hidden below an earlier peak, which this system does not let a process forget.</summary>
    public long? Growth => OfProcess is var now && (isReset || now > peak) ? Math.Max(0, now - before) : null;

    // "5" sets the peak (VmHWM) to what is resident now; proc(5).
    private static bool TryReset()
    {
        try
        {
            using var marks = new FileStream(Marks, FileMode.Open, FileAccess.Write);
            marks.Write("5"u8);
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
