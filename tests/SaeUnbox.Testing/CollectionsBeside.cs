using System.Diagnostics;

namespace SaeUnbox.Testing;

/// <summary>
/// Collects garbage on a thread of its own, again and again until it is disposed: what native code was handed and nobody keeps alive is
/// then freed while the code still reads it.
/// </summary>
public sealed class CollectionsBeside : IDisposable
{
    private readonly Thread _thread;
    private volatile bool _ends;
    private long _count;

    public CollectionsBeside()
    {
        _thread = new Thread(Collect) { IsBackground = true };
        _thread.Start();
    }

    /// <summary>Collections so far.</summary>
    public long Count => Interlocked.Read(ref _count);

    public void Dispose()
    {
        _ends = true;
        _thread.Join();
    }

    private void Collect()
    {
        while (!_ends)
        {
            var started = Stopwatch.GetTimestamp();
            // What was just made is in the youngest generation; now and then the others, too.
            var number = Interlocked.Increment(ref _count);
            GC.Collect(number % 1000 == 0 ? 2 : 0, GCCollectionMode.Forced, blocking: true);
            // A collection stops every thread. The code under test gets at least as long as that, or it would stand still where threads
            // wake slowly.
            Thread.Sleep(TimeSpan.FromMilliseconds(1) + Stopwatch.GetElapsedTime(started));
        }
    }
}
