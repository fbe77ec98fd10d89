using System.Diagnostics.CodeAnalysis;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// A checkpoint, one file or a sharded set, open for reading. Its header is checked when it is opened; data is read tensor by tensor,
/// straight into place. Close it when the weights are in.
/// </summary>
public abstract class Checkpoint : IWeightSource, IDisposable
{
    private readonly Dictionary<string, StoredTensor> tensors = [];
    private readonly IReadOnlyList<IDisposable> owned;

    private protected Checkpoint(string path, string format, IReadOnlyList<StoredTensor> tensors, IReadOnlyList<IDisposable> owned)
    {
        (Path, Format, this.owned) = (path, format, owned);
        foreach (var tensor in tensors) this.tensors.Add(tensor.Entry.Name, tensor);
        Entries = new EntriesView(this.tensors);
    }

    public string Path { get; }

    /// <summary>The container: "safetensors", "PyTorch zip", "PyTorch legacy" or a number of shards.</summary>
    public string Format { get; }

    /// <summary>Every tensor by its full name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Entries { get; }

    /// <summary>The texts that safetensors files carry beside their tensors.</summary>
    public virtual IReadOnlyDictionary<string, string> Metadata => System.Collections.ObjectModel.ReadOnlyDictionary<string, string>.Empty;

    IEnumerable<string> IWeightSource.Names => Entries.Keys;

    string IWeightSource.Description => $"'{Path}'";

    /// <summary>Opens a safetensors file, an index of shards, or a PyTorch file (read as data only), told apart by their first bytes.</summary>
    /// <exception cref="CheckpointException">There is no such file, or it is none of these, or broken.</exception>
    public static Checkpoint Open(string path)
    {
        var file = SourceFile.Open(path);
        try
        {
            return CheckpointFormat.Open(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Opens the weights of a model folder under the names that diffusers and transformers give them; half precision
    /// (<c>.fp16.</c>) where it is preferred or the only one.
    /// </summary>
    /// <exception cref="CheckpointException">The folder holds no weights.</exception>
    public static Checkpoint OpenFolder(string folder, bool preferHalf = false) => Open(CheckpointFormat.FindWeights(folder, preferHalf));

    /// <summary>Reads a tensor into <paramref name="target"/>, converting on the way; strides and device are the target's own.</summary>
    /// <exception cref="CheckpointException">There is no such tensor, its shape differs, or its data is broken.</exception>
    public void Read(string name, torch.Tensor target) => TensorReader.Read(Locate(name), target);

    /// <summary>A fresh CPU tensor of the file's own type and memory order (a column-major matrix stays column-major).</summary>
    public torch.Tensor Read(string name)
    {
        var stored = Locate(name);
        var shape = stored.Entry.Shape;
        var strides = StoredTensor.DenseOrder(shape, stored.Strides) is null ? StoredTensor.RowMajor(shape) : stored.Strides;
        var target = torch.empty_strided(shape, strides, dtype: TensorReader.TypeOf(stored));
        try
        {
            TensorReader.Read(stored, target);
            return target;
        }
        catch
        {
            target.Dispose();
            throw;
        }
    }

    /// <summary>Reads everything that has a checksum and compares; formats without checksums have nothing to check.</summary>
    /// <param name="progress">Told before each tensor which file it is of and the share that is done; what it throws ends the checking.</param>
    /// <exception cref="CheckpointException">A checksum does not match.</exception>
    public virtual void Verify(Action<string, double>? progress = null)
    {
        var done = 0;
        foreach (var tensor in tensors.Values)
        {
            progress?.Invoke(Path, (double)done++ / tensors.Count);
            tensor.Verify?.Invoke();
        }
    }

    bool IWeightSource.TryFind(string name, [MaybeNullWhen(false)] out TensorEntry entry) => Entries.TryGetValue(name, out entry);

    public void Dispose()
    {
        foreach (var resource in owned) resource.Dispose();
    }

    internal StoredTensor Locate(string name) => tensors.TryGetValue(name, out var stored)
        ? stored : throw new CheckpointException($"'{Path}' holds no tensor '{name}'.");

    /// <summary>The descriptions alone, without a second dictionary.</summary>
    private sealed class EntriesView(Dictionary<string, StoredTensor> tensors) : IReadOnlyDictionary<string, TensorEntry>
    {
        public TensorEntry this[string key] => tensors[key].Entry;
        public IEnumerable<string> Keys => tensors.Keys;
        public IEnumerable<TensorEntry> Values => tensors.Values.Select(tensor => tensor.Entry);
        public int Count => tensors.Count;
        public bool ContainsKey(string key) => tensors.ContainsKey(key);

        public bool TryGetValue(string key, [MaybeNullWhen(false)] out TensorEntry value)
        {
            var found = tensors.TryGetValue(key, out var stored);
            value = stored?.Entry;
            return found;
        }

        public IEnumerator<KeyValuePair<string, TensorEntry>> GetEnumerator() =>
            tensors.Select(pair => KeyValuePair.Create(pair.Key, pair.Value.Entry)).GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
