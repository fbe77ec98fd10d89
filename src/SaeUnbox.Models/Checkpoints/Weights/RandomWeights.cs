using System.Diagnostics.CodeAnalysis;
using System.IO.Hashing;
using System.Text;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// Weights drawn from a seed, for benchmarks and as training's start: biases 0, weights of norms 1, all others normal with variance
/// 1 / fan-in. It has any name in any shape; each tensor depends on the seed and its name alone, not on the order of reading.
/// </summary>
/// <param name="seed">The seed of all draws.</param>
/// <param name="absent">Names it shall not have, such as optional parts; none where null.</param>
public sealed class RandomWeights(long seed, Func<string, bool>? absent = null) : IWeightSource
{
    /// <summary>
    /// Values drawn for a tensor before it repeats itself; all of them by default. A benchmark of a full U-Net (2.6 billion values) sets
    /// less, for drawing takes longer than everything else.
    /// </summary>
    public long Drawn { get; init; } = long.MaxValue;

    public IEnumerable<string> Names => [];

    public string Description => $"random weights of seed {seed}";

    public bool TryFind(string name, [MaybeNullWhen(false)] out TensorEntry entry)
    {
        entry = absent?.Invoke(name) == true ? null : new TensorEntry(name, ElementType.F32, TensorEntry.AnyShape);
        return entry is not null;
    }

    public void Read(string name, torch.Tensor target)
    {
        using var _ = torch.no_grad();
        if (name.EndsWith("bias", StringComparison.Ordinal) || !torch.is_floating_point(target.dtype)) target.Fill(0);
        else if (target.dim() < 2) target.Fill(1);
        else Draw(name, target);
    }

    private void Draw(string name, torch.Tensor target)
    {
        var spread = Math.Sqrt((double)target.shape[0] / target.numel());
        var mixed = (ulong)seed ^ XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(name));
        using var generator = new torch.Generator(mixed & long.MaxValue);
        using var scope = torch.NewDisposeScope();
        var draw = torch.randn([Math.Min(target.numel(), Drawn)], dtype: torch.float32, generator: generator).MultiplyInPlace(spread);
        Slabs.ForEach(target, draw.numel(), slab => slab.copy_(draw.narrow(0, 0, slab.numel()).view(slab.shape)));
    }
}
