using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// The number of threads that an operator uses. It determines how sums are split, and therefore the last digits of results. Each calling
/// thread has its own number.
/// </summary>
public static class Threads
{
    /// <summary>The number for the calling thread.</summary>
    public static int Count => torch.get_num_threads();

    /// <summary>Sets the number for the calling thread.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is less than 1.</exception>
    /// <exception cref="LibtorchException">libtorch cannot be loaded.</exception>
    public static void Use(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Libtorch.Require();
        // A thread's first call of get_num_threads copies the number last set by any thread, so it must come before the call of
        // set_num_threads.
        if (torch.get_num_threads() != count)
            torch.set_num_threads(count);
    }
}
