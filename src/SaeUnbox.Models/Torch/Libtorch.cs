using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>Prepares the process for libtorch, and loads it.</summary>
public static partial class Libtorch
{
    private static readonly Lazy<string?> Failure = new(TryLoad);

    private static string? NamedFolder => Environment.GetEnvironmentVariable("SAEUNBOX_LIBTORCH") is { Length: > 0 } folder ? folder : null;

    /// <summary>
    /// Sets options of OpenMP and the C library that libtorch reads while loading, unless the user has set them. Programs call this first;
    /// the assembly also calls it on first use. If SAEUNBOX_LIBTORCH names a libtorch, this loads it before TorchSharp can find another
    /// one.
    /// </summary>
#pragma warning disable CA2255 // The options must be set before libtorch is loaded, whoever loads it.
    [ModuleInitializer]
#pragma warning restore CA2255
    public static void Prepare()
    {
        if (!OperatingSystem.IsLinux())
            return;
        // On a busy machine, threads that spin at a barrier keep the thread they wait for from running.
        // .NET has its own copy of the environment, so this calls the C library's setenv.
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("OMP_WAIT_POLICY")))
            _ = setenv("OMP_WAIT_POLICY", "PASSIVE", 1);
        KeepFreedMemory();
        if (NamedFolder is not null)
            _ = Failure.Value;
    }

    /// <summary>Loads libtorch. Later calls do nothing.</summary>
    /// <exception cref="LibtorchException">libtorch cannot be loaded; the message says what is missing.</exception>
    public static void Require()
    {
        if (Failure.Value is { } failure)
            throw new LibtorchException(failure);
    }

    // TorchSharp also finds the libraries itself, but if it fails, it copies half a gigabyte next to the program, prints its search log,
    // and reports a missing package.
    private static string? TryLoad()
    {
        try
        {
            if (NamedFolder is { } folder)
                LoadFolder(folder);
            else
                LoadPackage();
            NativeLibrary.Load("LibTorchSharp", typeof(TorchSharp.torch).Assembly, null);
            return null;
        }
        catch (Exception error) when (error is DllNotFoundException or BadImageFormatException or LibtorchException)
        {
            return error is LibtorchException ? error.Message : LoadFailure.Explain(error.Message);
        }
    }

    // Loads the GPU library before anything asks libtorch for a GPU, because libtorch caches the answer.
    private static void LoadPackage()
    {
        NativeLibrary.Load("torch_cpu", typeof(TorchSharp.torch).Assembly, null);
        NativeLibrary.TryLoad("torch_cuda", typeof(TorchSharp.torch).Assembly, null, out _);
    }

    // The loader finds an already loaded library by name when another one needs it.
    private static void LoadFolder(string folder)
    {
        var lib = Directory.Exists(Path.Combine(folder, "lib")) ? Path.Combine(folder, "lib") : folder;
        var cpu = Path.Combine(lib, "libtorch_cpu.so");
        if (!File.Exists(cpu))
            throw new LibtorchException(
                $"SAEUNBOX_LIBTORCH names '{folder}', which holds no lib/libtorch_cpu.so; name an unpacked libtorch 2.10.");
        NativeLibrary.Load(cpu);
        var cuda = Path.Combine(lib, "libtorch_cuda.so");
        if (File.Exists(cuda))
            NativeLibrary.Load(cuda);
        NativeLibrary.Load(Path.Combine(lib, "libtorch.so"));
    }

    /// <summary>
    /// Makes the C library keep freed memory. By default it returns buffers of 128 KiB and more to the kernel at once, so that every
    /// operator pays for new pages, which takes longer than its arithmetic.
    /// </summary>
    private static void KeepFreedMemory()
    {
        const int trimThreshold = -1, topPad = -2, mmapMax = -4, arenaMax = -8; // malloc.h
        string[] variables =
        [
            "GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_ARENA_MAX",
        ];
        if (variables.Any(variable => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable))))
            return;
        try
        {
            _ = mallopt(mmapMax, 0); // for large buffers, too: mapped blocks get new pages every time
            _ = mallopt(trimThreshold, 256 << 20);
            _ = mallopt(topPad, 64 << 20);
            _ = mallopt(arenaMax, 1);
        }
        catch (EntryPointNotFoundException)
        {
            // C libraries other than glibc lack these options.
        }
    }

    /// <summary>Returns freed memory to the system after an unusually large run.</summary>
    /// <param name="withManaged">Whether the managed heap, too, is collected and shrunk, which stops all threads for a moment.</param>
    public static void ReturnFreedMemory(bool withManaged)
    {
        if (withManaged)
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            _ = malloc_trim(0);
        }
        catch (EntryPointNotFoundException)
        {
            // C libraries other than glibc return it on their own.
        }
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);

    [LibraryImport("libc")]
    private static partial int mallopt(int parameter, int value);

    [LibraryImport("libc")]
    private static partial int malloc_trim(nuint pad);
}

/// <summary>libtorch cannot be used on this machine.</summary>
public sealed class LibtorchException(string message) : Exception(message);

/// <summary>Turns a loader's error into one sentence that says what to install.</summary>
internal static partial class LoadFailure
{
    public static string Explain(string loaderMessage)
    {
        if (MissingVersion().Match(loaderMessage) is { Success: true } version)
        {
            var name = version.Groups[1].Value;
            var library = name.StartsWith("GLIBC_", StringComparison.Ordinal) ? "glibc" : "libstdc++";
            return $"libtorch needs {library} with {name}, which this system lacks; use Debian 12, Ubuntu 22.04 or newer.";
        }
        if (MissingLibrary().Match(loaderMessage) is { Success: true } missing)
            return $"libtorch needs {missing.Groups[1].Value}, which is not installed; "
                + $"install the package that contains it{Hint(missing.Groups[1].Value)}.";
        return $"libtorch cannot be loaded here: {loaderMessage.ReplaceLineEndings(" ").Trim()}";
    }

    private static string Hint(string library) => library switch
    {
        _ when library.StartsWith("libstdc++", StringComparison.Ordinal) => " (libstdc++6 on Debian and Ubuntu)",
        _ when library.StartsWith("libgcc_s", StringComparison.Ordinal) => " (libgcc-s1 on Debian and Ubuntu)",
        _ when library.StartsWith("libtorch", StringComparison.Ordinal) || library.StartsWith("libc10", StringComparison.Ordinal) =>
            ", or set SAEUNBOX_LIBTORCH to an unpacked libtorch 2.10",
        _ => "",
    };

    [System.Text.RegularExpressions.GeneratedRegex(@"version [`']([A-Z]+_[0-9.]+)' not found")]
    private static partial System.Text.RegularExpressions.Regex MissingVersion();

    [System.Text.RegularExpressions.GeneratedRegex(@"([\w+.-]+\.so[\w.]*): cannot open shared object file")]
    private static partial System.Text.RegularExpressions.Regex MissingLibrary();
}

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

/// <summary>Describes a failure inside libtorch in one readable line.</summary>
public static partial class LibtorchError
{
    /// <summary>
    /// The first line of libtorch's message without its C++ stack, plus the operator and the calling method, which TorchSharp's exceptions
    /// lack: "libtorch failed in mm, called by Linear.Forward: mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)".
    /// </summary>
    public static string Describe(ExternalException error)
    {
        var methods = new StackTrace(error).GetFrames().Select(frame => frame.GetMethod()).OfType<System.Reflection.MethodBase>().ToList();
        var operation = methods.LastOrDefault(method => IsOf(method, "TorchSharp") && method.Name != "CheckForErrors")?.Name;
        var caller = methods.FirstOrDefault(method => IsOf(method, "SaeUnbox") && !IsOf(method, typeof(LibtorchError).Namespace!));
        var where = (operation is null ? "" : $" in {operation}") + (caller is null ? "" : $", called by {Name(caller)}");
        return $"libtorch failed{where}: {FirstLine(error.Message)}";
    }

    // The compiler puts a lambda into a nested type <>c… as a method <Method>b__0.
    private static string Name(System.Reflection.MethodBase method)
    {
        var type = method.DeclaringType!;
        while (type.Name.StartsWith('<') && type.DeclaringType is { } outer)
            type = outer;
        return $"{type.Name}.{method.Name.TrimStart('<').Split('>')[0]}";
    }

    // Messages end with "Exception raised from …" and the C++ stack.
    private static string FirstLine(string message)
    {
        var end = message.IndexOf("\nException raised from", StringComparison.Ordinal);
        return Blank().Replace(end < 0 ? message : message[..end], " ").Trim();
    }

    private static bool IsOf(System.Reflection.MethodBase method, string space) =>
        method.DeclaringType?.Namespace is { } name && (name == space || name.StartsWith(space + ".", StringComparison.Ordinal));

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blank();
}
