using System.Diagnostics.CodeAnalysis;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>Where weights come from: a checkpoint, a renamed view of one, or a random generator.</summary>
public interface IWeightSource
{
    /// <summary>Every name that is there; strict loading calls the unused ones extra.</summary>
    IEnumerable<string> Names { get; }

    /// <summary>What to call the source in an error, e.g. the file's path.</summary>
    string Description { get; }

    bool TryFind(string name, [MaybeNullWhen(false)] out TensorEntry entry);

    /// <summary>Fills <paramref name="target"/>, of any floating-point type wide or narrow, any strides, any device.</summary>
    /// <exception cref="CheckpointException">The name is missing, the shape differs, or the data is broken.</exception>
    void Read(string name, torch.Tensor target);
}
