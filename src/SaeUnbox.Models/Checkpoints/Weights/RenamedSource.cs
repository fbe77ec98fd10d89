using System.Diagnostics.CodeAnalysis;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// A source under other names: older files name parts differently, and hold tensors that no longer matter.
/// </summary>
public sealed class RenamedSource : IWeightSource
{
    private readonly IWeightSource source;
    private readonly Dictionary<string, string> originals = [];

    /// <param name="source">The source with the old names.</param>
    /// <param name="rename">The new name of an old one; null where the tensor is to be left out.</param>
    /// <exception cref="CheckpointException">Two old names become one.</exception>
    public RenamedSource(IWeightSource source, Func<string, string?> rename)
    {
        this.source = source;
        foreach (var original in source.Names)
            if (rename(original) is { } name && !originals.TryAdd(name, original))
                throw new CheckpointException($"{source.Description} holds both '{originals[name]}' and '{original}', which are one tensor.");
    }

    public IEnumerable<string> Names => originals.Keys;

    public string Description => source.Description;

    /// <summary>Leaves out <c>position_ids</c>, which older text encoders saved beside their weights.</summary>
    public static IWeightSource WithoutPositionIds(IWeightSource source) =>
        new RenamedSource(source, name => name == "position_ids" || name.EndsWith(".position_ids", StringComparison.Ordinal) ? null : name);

    /// <summary>Gives the attention of older autoencoders its present names (query, key, value, proj_attn).</summary>
    public static IWeightSource WithPresentAttentionNames(IWeightSource source) => new RenamedSource(source, name =>
    {
        var parts = name.Split('.');
        if (parts is not [.., "attentions", _, _, _]) return name;
        var present = parts[^2] switch { "query" => "to_q", "key" => "to_k", "value" => "to_v", "proj_attn" => "to_out.0", var other => other };
        return string.Join('.', [.. parts[..^2], present, parts[^1]]);
    });

    public bool TryFind(string name, [MaybeNullWhen(false)] out TensorEntry entry)
    {
        entry = null;
        if (!originals.TryGetValue(name, out var original) || !source.TryFind(original, out var found)) return false;
        entry = found with { Name = name };
        return true;
    }

    public void Read(string name, torch.Tensor target) => source.Read(originals.TryGetValue(name, out var original)
        ? original : throw new CheckpointException($"{Description} holds no tensor '{name}'."), target);
}
