using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp.Interop;
using static TorchSharp.torch;

namespace TorchSharp.Tests;

public class LifetimeTests
{
    [Fact]
    public void Dispose_Twice_DoesNothingTheSecondTime()
    {
        var tensor = ones(3);
        var view = tensor.view(3, 1);
        tensor.Dispose();
        tensor.Dispose();

        Assert.True(tensor.IsInvalid);
        Assert.Equal(3, view.sum().item<float>()); // a view has a handle of its own on the memory
        view.Dispose();
    }

    [Fact]
    public void Operation_OnADisposedTensor_ThrowsAndNothingElse()
    {
        var tensor = ones(3);
        tensor.Dispose();

        Assert.Throws<ObjectDisposedException>(() => tensor.sum());
        Assert.Throws<ObjectDisposedException>(() => ones(3).add_(tensor));
        Assert.Throws<ObjectDisposedException>(() => cat([ones(3), tensor]));
        Assert.Throws<ObjectDisposedException>(() => tensor.shape);
    }

    [Fact]
    public void Generator_DisposedTwice_ThenRefuses()
    {
        var generator = new Generator(1);
        generator.Dispose();
        generator.Dispose();

        Assert.Throws<ObjectDisposedException>(() => randn([2], generator: generator));
    }

    [Fact]
    public void Generator_OnADeviceThatIsNotThere_SaysSoInASentence() =>
        Assert.Contains("CUDA", Assert.Throws<InvalidOperationException>(() => new Generator(1, new Device("cuda:99"))).Message);

    [Fact]
    public void Finalizer_OfForgottenTensors_FreesThemAndLeavesViewsWhole()
    {
        var forgotten = Forget(200, out var views);
        for (var round = 0; round < 10 && forgotten.Any(reference => reference.IsAlive); round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.DoesNotContain(forgotten, reference => reference.IsAlive);
        Assert.All(views, view => Assert.Equal(1024, view.sum().item<float>()));
    }

    [Fact]
    public void Dispose_WhileOtherThreadsUseIt_NeverPullsMemoryAway()
    {
        for (var round = 0; round < 50; round++)
        {
            var tensor = ones(4096);
            Parallel.For(0, 8, i =>
            {
                if (i == 3)
                {
                    tensor.Dispose();
                    return;
                }
                try
                {
                    using var sum = tensor.sum();
                    Assert.Equal(4096, sum.item<float>());
                }
                catch (ObjectDisposedException)
                {
                    // It came too late.
                }
            });
            Assert.True(tensor.IsInvalid);
        }
    }

    [Fact]
    public void Call_OnTensorsNobodyHolds_IsNotOvertakenByTheFinalizer()
    {
        // Calls of different thread numbers wait for each other, so that the collector finds them in the middle.
        var right = 0;
        var threads = Enumerable.Range(1, 3).Select(count => new Thread(() =>
        {
            set_num_threads(count);
            for (var round = 0; round < 300; round++) Interlocked.Add(ref right, RightGradients());
        })).ToList();
        threads.ForEach(thread => thread.Start());
        while (threads.Exists(thread => thread.IsAlive))
        {
            GC.Collect(0);
            GC.WaitForPendingFinalizers();
        }
        Assert.Equal(3 * 300 * 2, right);
    }

    [Fact]
    public void NativeFunctions_ThatTakeATensorOrAGenerator_TakeTheHandleThatKeepsIt()
    {
        var raw = typeof(NativeMethods).GetMethods(BindingFlags.Static | BindingFlags.NonPublic)
            .Where(method => method.Name.StartsWith("shim_", StringComparison.Ordinal) && !method.Name.EndsWith("_free", StringComparison.Ordinal))
            .SelectMany(method => method.GetParameters())
            .Where(parameter => parameter.Name is "tensor" or "generator" && !parameter.IsOut && !typeof(SafeHandle).IsAssignableFrom(parameter.ParameterType));
        Assert.Empty(raw.Select(parameter => parameter.Member.Name));
    }

    // Optimised from the first call on: what is not needed any more is not held on to.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int RightGradients()
    {
        var leaf = ones(64, 64).requires_grad_();
        leaf.matmul(leaf).sum().backward();
        var gathered = leaf.grad!.data<float>().ToArray().Sum();
        var asked = autograd.grad([leaf.matmul(leaf).sum()], [leaf])[0].sum().item<float>();
        return (gathered == 4096 * 128 ? 1 : 0) + (asked == 4096 * 128 ? 1 : 0);
    }

    // In a method of its own: no local keeps them alive.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference[] Forget(int count, out Tensor[] views)
    {
        var made = Enumerable.Range(0, count).Select(_ => ones(1024)).ToArray();
        views = [.. made.Select(tensor => tensor.view(32, 32))];
        return [.. made.Select(tensor => new WeakReference(tensor))];
    }
}
