using System.Diagnostics;

namespace SaeUnbox.Cli.Bench;

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
