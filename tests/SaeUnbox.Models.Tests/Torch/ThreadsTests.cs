using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>The number of threads changes the last digits of results. Each calling thread has its own number.</summary>
public class ThreadsTests
{
    private const int Rounds = 60;

    // Some threads use the same number.
    private static readonly int[] Counts = [1, 2, 3, 1, 2, 3];

    [Fact]
    public void Results_BesideOtherThreadCounts_UseTheirOwn()
    {
        using var scope = NewDisposeScope();
        var work = new Work();
        var alone = Counts.Distinct().ToDictionary(count => count, count => OnThread(count, work.Results));
        var different = new int[Counts.Length];
        var threads = Counts.Select((count, index) => Start(count, () =>
        {
            for (var round = 0; round < Rounds; round++)
                different[index] += work.Results().Zip(alone[count]).Count(pair => !pair.First.AsSpan().SequenceEqual(pair.Second));
        })).ToList();
        threads.ForEach(thread => thread.Join());
        Assert.All(different, number => Assert.Equal(0, number));
    }

    [Fact]
    public void Gradients_BesideOtherThreadCounts_UseTheirOwn()
    {
        using var scope = NewDisposeScope();
        var (weight, wide) = (randn([4000]), randn([37, 4000]));
        byte[] Gradient()
        {
            using var inner = NewDisposeScope();
            var leaf = weight.detach().clone().requires_grad_();
            wide.matmul(leaf).Square().sum().backward();
            return leaf.grad!.bytes.ToArray();
        }
        var alone = Counts.Distinct().ToDictionary(count => count, count => OnThread(count, Gradient));
        var different = new int[Counts.Length];
        var threads = Counts.Select((count, index) => Start(count, () =>
        {
            for (var round = 0; round < Rounds; round++)
                if (!Gradient().AsSpan().SequenceEqual(alone[count]))
                    different[index]++;
        })).ToList();
        threads.ForEach(thread => thread.Join());
        Assert.All(different, number => Assert.Equal(0, number));
    }

    [Fact]
    public void Use_OnANewThread_KeepsItsThreadCount() => Start(1, () =>
    {
        Start(3, () => ones([4]).Dispose()).Join();
        Assert.Equal(1, Threads.Count);
    }).Join();

    private static T OnThread<T>(int count, Func<T> body)
    {
        T result = default!;
        Start(count, () => result = body()).Join();
        return result;
    }

    private static Thread Start(int count, Action body)
    {
        var thread = new Thread(() =>
        {
            Threads.Use(count);
            body();
        });
        thread.Start();
        return thread;
    }


    private sealed class Work
    {
        private readonly Tensor _rows = randn([77, 320]), _weight = randn([320, 320]), _vector = randn([4000]), _wide = randn([37, 4000]);
        private readonly Tensor _picture = randn([1, 32, 24, 24]), _kernel = randn([32, 32, 3, 3]);

        public byte[][] Results()
        {
            using var scope = NewDisposeScope();
            using var mode = no_grad();
            Tensor[] results =
            [
                _wide.matmul(_vector), _rows.matmul(_weight), _wide.matmul(_wide.t()), _wide.sum(), _wide.softmax(-1),
                nn.functional.conv2d(_picture, _kernel, padding: [1, 1]),
            ];
            return [.. results.Select(result => result.contiguous().bytes.ToArray())];
        }
    }
}
