using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// A folder of weights as a model on the CPU holds them, so that a later start maps them into memory instead of reading and converting the
/// model's files. Processes that map the same file share its pages.
/// </summary>
/// <param name="folder">It is made if it is missing.</param>
/// <param name="loras">The LoRAs that are merged into the weights.</param>
/// <param name="note">Called with a sentence if weights could not be kept, or had to be written again.</param>
internal sealed class WeightCache(string folder, IReadOnlyList<LoraFile> loras, Action<string>? note)
{
    private const int NameLength = 16;

    /// <summary>Age of a file that a stopped program left half written.</summary>
    private static readonly TimeSpan LeftBehind = TimeSpan.FromDays(1);

    private readonly Lazy<string> _loras = new(() => string.Concat(loras.Select(lora => $"{lora.Fingerprint()}\n")));
    private bool _hasFailed;

    /// <summary>The place of a network's weights.</summary>
    /// <param name="format">Tells types and rounding.</param>
    /// <returns>Null if the source is no file, or an earlier network could not be written.</returns>
    /// <exception cref="CheckpointException">A file of the source cannot be read.</exception>
    public CachedWeights? Find(IWeightSource source, string format)
    {
        var stored = source.Names.Order(StringComparer.Ordinal).Select(source.FindStored).OfType<StoredTensor>().ToList();
        if (_hasFailed || stored.Count == 0)
            return null;
        var files = stored.Select(tensor => tensor.File).DistinctBy(file => file.Path).ToList();
        // The same model after a change of its files replaces the old weights; with other LoRAs it is another model.
        var name = Hash([format, .. files.Select(file => Path.GetFullPath(file.Path)), .. stored.Select(tensor => tensor.Entry.Name),
            .. loras.Select(lora => string.Create(CultureInfo.InvariantCulture, $"{Path.GetFullPath(lora.Path)} {lora.Scale:R}"))]);
        // Weights that another build of this program wrote may be rounded or ordered in another way.
        var state = Hash([typeof(WeightCache).Module.ModuleVersionId.ToString(), _loras.Value,
            .. files.Select(file => string.Create(CultureInfo.InvariantCulture,
                $"{file.Length} {file.Changed.Ticks} {FileFingerprint.Compute([("", file.Path)])}")),
            .. stored.Select(tensor => string.Create(CultureInfo.InvariantCulture,
                $"{tensor.Entry.Element} {tensor.Position} {Shapes.Text(tensor.Strides)}"))]);
        return new CachedWeights(this, Path.Combine(folder, $"{name[..NameLength]}.weights"), state);
    }

    /// <summary>Notes that a file is there and of no use.</summary>
    public void Reject(string path) => note?.Invoke($"'{path}' was out of date or damaged; it is written again.");

    /// <summary>Writes a file completely or not at all. If that fails, notes it, and the cache is not used any more.</summary>
    /// <exception cref="OperationCanceledException">From <paramref name="write"/>.</exception>
    public void Write(string path, Action<Stream> write)
    {
        try
        {
            Directory.CreateDirectory(folder);
            foreach (var left in Directory.EnumerateFiles(folder, ".*.partial"))
                if (File.GetLastWriteTimeUtc(left) < DateTime.UtcNow - LeftBehind)
                    File.Delete(left);
            AtomicFile.Write(path, write);
        }
        catch (Exception exception) when (exception is CheckpointException or IOException or UnauthorizedAccessException)
        {
            _hasFailed = true;
            note?.Invoke($"The weights are not kept in '{folder}', so that the next start converts them again: {exception.Message}");
        }
    }

    internal static string Hash(IEnumerable<string> parts) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        string.Join('\n', parts))));
}

/// <summary>The file of a network's weights in a cache.</summary>
/// <param name="state">Names the files that the weights were made from, in their present state, and the program.</param>
internal sealed class CachedWeights(WeightCache cache, string path, string state)
{
    /// <summary>The file; null if there is none.</summary>
    public MappedWeights? Open() => MappedWeights.Open(path);

    /// <summary>Whether the file holds these weights. Notes it if not.</summary>
    /// <param name="layout">Names, types and order of the weights.</param>
    public bool Accept(MappedWeights file, string layout)
    {
        if (file.HasSeal(state, layout))
            return true;
        cache.Reject(path);
        return false;
    }

    /// <summary>Writes the weights.</summary>
    /// <param name="layout">Names, types and order of the weights.</param>
    /// <param name="leaves">Allocated tensors, in the order of request.</param>
    /// <param name="check">Called between tensors. An exception from it stops the writing.</param>
    public void Write(string layout, IEnumerable<torch.Tensor> leaves, Action? check) => cache.Write(path, stream =>
    {
        stream.Position = MappedWeights.Start;
        foreach (var leaf in leaves.Where(leaf => leaf.numel() > 0))
        {
            check?.Invoke();
            WriteValues(stream, leaf);
        }
        stream.SetLength(MappedWeights.Align(stream.Position));
        var seal = MappedWeights.SealOf(state, layout, stream);
        stream.Position = 0;
        stream.Write(seal);
    });

    // In the order of its memory, which for the kernels of convolutions is not that of its axes.
    private static unsafe void WriteValues(Stream stream, torch.Tensor leaf)
    {
        const int most = 1 << 24;
        stream.Position = MappedWeights.Align(stream.Position);
        var order = StoredTensor.DenseOrder(leaf.shape, leaf.stride())!;
        using var dense = leaf.permute([.. order.Select(axis => (long)axis)]);
        var address = (byte*)CpuKernel.Address(dense);
        var bytes = leaf.numel() * leaf.element_size();
        for (var done = 0L; done < bytes; done += most)
            stream.Write(new ReadOnlySpan<byte>(address + done, (int)Math.Min(most, bytes - done)));
    }
}

/// <summary>
/// A file of weights in memory: a seal of 32 bytes, and from byte 64 on the tensors in the order of request, each at a multiple of 64
/// bytes. The file tells nothing about itself, so nothing in it has to be believed: its seal is a hash of what the reader knows.
/// </summary>
internal sealed class MappedWeights : IDisposable
{
    /// <summary>Bytes before the first tensor, and the unit of alignment: a line of the cache and a vector register.</summary>
    public const int Start = 64;

    private const int PieceBytes = 4096, PieceEvery = 1 << 20;

    private readonly Dictionary<torch.ScalarType, torch.Tensor> _views = [];
    private readonly torch.Tensor _bytes;
    private long _end = Start;

    private MappedWeights(torch.Tensor bytes) => _bytes = bytes;

    /// <summary>Maps a file; null if it is missing, cannot be mapped or cannot be one of these.</summary>
    public static MappedWeights? Open(string path)
    {
        if (new FileInfo(path) is not { Exists: true, Length: > Start and var length } || length % Start != 0)
            return null;
        try
        {
            // Pages are shared until somebody writes to one, which then is a copy: the file itself never changes.
            return new(torch.from_file(path, shared: false, size: length, dtype: torch.ScalarType.Byte).DetachFromDisposeScope());
        }
        catch (ExternalException)
        {
            return null;
        }
    }

    public static long Align(long position) => (position + Start - 1) / Start * Start;

    /// <summary>
    /// Hashes what the reader expects, the length of the file, and the first 4 KiB of each MiB of its tensors: enough to notice another
    /// model, another program, a cut or overwritten file, and quick enough for every start.
    /// </summary>
    public static byte[] SealOf(string state, string layout, Stream file)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{state}\n{layout}\n{file.Length}\n")));
        var piece = new byte[PieceBytes];
        for (long position = Start; position < file.Length; position += PieceEvery)
        {
            file.Position = position;
            hash.AppendData(piece, 0, file.ReadAtLeast(piece, PieceBytes, throwOnEndOfStream: false));
        }

        return hash.GetHashAndReset();
    }

    /// <summary>Whether the file begins with the seal of what the reader expects.</summary>
    public unsafe bool HasSeal(string state, string layout)
    {
        using var file = new UnmanagedMemoryStream((byte*)CpuKernel.Address(_bytes), _bytes.numel());
        var seal = new byte[SHA256.HashSizeInBytes];
        file.ReadExactly(seal);
        return seal.AsSpan().SequenceEqual(SealOf(state, layout, file));
    }

    /// <summary>The next tensor of the file.</summary>
    /// <returns>Null if the file ends before it.</returns>
    public torch.Tensor? Take(torch.ScalarType type, long[] shape, long[] strides)
    {
        if (!_views.TryGetValue(type, out var view))
            _views.Add(type, view = View(type));
        var size = view.element_size();
        var first = Align(_end);
        _end = first + StoredTensor.ExtentOf(shape, strides) * size;
        return _end <= _bytes.numel() ? view.as_strided(shape, strides, first / size) : null;
    }

    public void Dispose()
    {
        foreach (var view in _views.Values)
            view.Dispose();
        _bytes.Dispose();
    }

    // The whole file as elements of a type. set_ takes the memory of the other tensor, and its sizes, but not its type.
    private torch.Tensor View(torch.ScalarType type)
    {
        var view = torch.empty([0], type).DetachFromDisposeScope();
        using var sizes = _bytes.narrow(0, 0, _bytes.numel() / view.element_size());
        return view.set_(sizes);
    }
}
