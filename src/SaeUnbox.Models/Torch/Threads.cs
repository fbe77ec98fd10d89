using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// How many threads one operator uses. The number decides how sums are split, and so the last digits of results. It belongs to the
/// thread that calls: other threads' numbers do not change it.
/// </summary>
public static class Threads
{
    /// <summary>The calling thread's number.</summary>
    public static int Count => torch.get_num_threads();

    /// <summary>Sets the calling thread's number.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is less than 1.</exception>
    /// <exception cref="LibtorchException">libtorch cannot be loaded.</exception>
    public static void Use(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Libtorch.Require();
        // A thread's first question gives it the number that was set last, by any thread. Asked after setting, it would undo the setting.
        if (torch.get_num_threads() != count)
            torch.set_num_threads(count);
    }
}
