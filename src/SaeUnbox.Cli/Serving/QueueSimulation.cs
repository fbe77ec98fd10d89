namespace SaeUnbox.Cli.Serving;

/// <summary>
/// A discrete-event simulation of the queue's rules, without a model: each canvas has at most one waiting and one running job, a newer
/// stroke joins the waiting job, and canvases take turns in the order of arrival.
/// </summary>
internal sealed class QueueSimulation
{
    private const double Z95 = 1.6448536269514722; // 95th percentile of the standard normal distribution

    private const int MaxCanvases = 1 << 16;

    private enum EventKind { Begin, Stroke, Pause, Done }

    private readonly PaintingLoad _load;
    private readonly Random _random = new(1);
    private readonly PriorityQueue<(EventKind Kind, Canvas Canvas), (double Time, long Order)> _events = new();
    private readonly LinkedList<Canvas> _waiting = [];
    private readonly List<double> _latencies = [];
    private double _now, _busy, _painted;
    private long _order;
    private int _free, _pictures;

    private QueueSimulation(PaintingLoad load) => (_load, _free) = (load, load.Workers);

    /// <summary>Deterministic: equal loads give equal figures.</summary>
    public static ServingFigures Run(PaintingLoad load) => new QueueSimulation(load).Run();

    /// <summary>The largest number of canvases whose 95th percentile stays within the target; 0 if one is already too many.</summary>
    public static int Most(PaintingLoad load, double targetP95)
    {
        if (!Fits(1))
            return 0;
        var (fits, fails) = (1, 2);
        while (fails <= MaxCanvases && Fits(fails))
            (fits, fails) = (fails, fails * 2);
        while (fails - fits > 1)
            (fits, fails) = (fits + fails) / 2 is var middle && Fits(middle) ? (middle, fails) : (fits, middle);
        return fits;

        bool Fits(int canvases) => Run(load with { Canvases = canvases }).P95 <= targetP95;
    }

    private ServingFigures Run()
    {
        // Spreads the start times.
        for (var i = 0; i < _load.Canvases; i++)
            At(_random.NextDouble() * (_load.StrokeEvery + _load.Pausing + _load.Service), EventKind.Begin, new Canvas());
        while (_events.TryDequeue(out var next, out var when) && when.Time <= _load.Duration)
        {
            _now = when.Time;
            Handle(next.Kind, next.Canvas);
        }
        var seconds = _load.Duration / 1000;
        return ServingFigures.Of(_load.Canvases, _latencies, _pictures, seconds, _painted / 1000, _busy / (_load.Duration * _load.Workers));
    }

    private void Handle(EventKind kind, Canvas canvas)
    {
        switch (kind)
        {
            case EventKind.Begin:
                var length = _load.Pausing > 0 ? Exponential(_load.Painting) : double.PositiveInfinity;
                canvas.Until = _now + length;
                _painted += Math.Min(length, _load.Duration - _now);
                if (double.IsFinite(length))
                    At(canvas.Until, EventKind.Pause, canvas);
                Stroke(canvas);
                break;
            case EventKind.Stroke when _now < canvas.Until:
                Stroke(canvas);
                break;
            case EventKind.Pause:
                At(_now + Exponential(_load.Pausing), EventKind.Begin, canvas);
                break;
            case EventKind.Done:
                Done(canvas);
                break;
        }
    }

    private void Stroke(Canvas canvas)
    {
        canvas.Unseen.Add(_now);
        if (!canvas.Waits)
        {
            canvas.Waits = true;
            _waiting.AddLast(canvas);
        }
        if (_load.StrokeEvery > 0)
            At(_now + _load.StrokeEvery, EventKind.Stroke, canvas);
        Start();
    }

    private void Done(Canvas canvas)
    {
        _free++;
        _pictures++;
        _latencies.AddRange(canvas.Running.Select(stroke => _now + _load.Overhead - stroke));
        canvas.Running.Clear();
        canvas.Runs = false;
        if (_load.StrokeEvery <= 0 && _now < canvas.Until)
            At(_now + _load.Overhead, EventKind.Stroke, canvas);
        Start();
    }

    private void Start()
    {
        for (var node = _waiting.First; node is not null && _free > 0;)
        {
            var (canvas, next) = (node.Value, node.Next);
            if (!canvas.Runs)
            {
                _waiting.Remove(node);
                (canvas.Waits, canvas.Runs) = (false, true);
                (canvas.Running, canvas.Unseen) = (canvas.Unseen, canvas.Running);
                _free--;
                var service = Service();
                _busy += Math.Min(service, _load.Duration - _now);
                At(_now + service, EventKind.Done, canvas);
            }
            node = next;
        }
    }

    private void At(double time, EventKind kind, Canvas canvas) => _events.Enqueue((kind, canvas), (time, _order++));

    private double Service() => _load.Service * Math.Exp(Math.Log(_load.ServiceP95 / _load.Service) / Z95 * Normal());

    private double Exponential(double mean) => -mean * Math.Log(1 - _random.NextDouble());

    // Box-Muller transform.
    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());

    private sealed class Canvas
    {
        /// <summary>Times of the strokes that no job holds yet.</summary>
        public List<double> Unseen { get; set; } = [];

        /// <summary>Times of the strokes that the running job holds.</summary>
        public List<double> Running { get; set; } = [];

        public bool Waits { get; set; }

        public bool Runs { get; set; }

        /// <summary>When the current period of painting ends.</summary>
        public double Until { get; set; }
    }
}
