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
