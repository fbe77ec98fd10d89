namespace SaeUnbox.Lab;

/// <summary>
/// What to collect. Every caption gives one item a step: item = caption * steps + step. Under guidance only the conditional half is
/// kept.
/// </summary>
public sealed record CollectionRequest
{
    /// <summary>Any transformers of the U-Net, with an autoencoder or without.</summary>
    public required IReadOnlyList<HookSite> Sites { get; init; }

    public required IReadOnlyList<Caption> Captions { get; init; }

    public int Steps { get; init; } = 1;

    public double Guidance { get; init; }

    /// <summary>In pixels.</summary>
    public int Width { get; init; } = 512;

    /// <summary>In pixels.</summary>
    public int Height { get; init; } = 512;

    /// <summary>Pictures that go through the U-Net together.</summary>
    public int Pictures { get; init; } = 1;

    /// <summary>Which share of the captions this process takes, from 0.</summary>
    public int Worker { get; init; }

    /// <summary>Processes that fill one folder side by side, each with a share of its own.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>How it is stored; the first item is the worker's.</summary>
    public CollectionOptions Storage { get; init; } = new();

    /// <summary>The worker's captions: the first, and the one behind the last.</summary>
    internal (int First, int End) Share => ((int)((long)Captions.Count * Worker / Workers), (int)((long)Captions.Count * (Worker + 1) / Workers));

    /// <exception cref="SaeException">A number is out of range; the message names it.</exception>
    internal void Validate()
    {
        Require(Captions.Count > 0, "there are no captions");
        Require(Sites.Count > 0, "there are no sites");
        Require(Sites.Distinct().Count() == Sites.Count, "a site is named twice");
        Require(Steps is >= 1 and <= RecipeLimits.MaxSteps, $"{Steps} steps are wanted, 1 to {RecipeLimits.MaxSteps} can be made");
        Require(Pictures >= 1, $"{Pictures} pictures together are wanted, 1 at least can be made");
        Require(Workers >= 1 && Worker >= 0 && Worker < Workers, $"worker {Worker} of {Workers} is wanted, there are 0 to {Workers - 1}");

        static void Require(bool holds, string why)
        {
            if (!holds) throw new SaeException($"Nothing can be collected: {why}.");
        }
    }
}

/// <summary>How far a worker is.</summary>
/// <param name="Done">Items of its share that are stored or waiting to be.</param>
/// <param name="Items">Items of its share.</param>
/// <param name="Bytes">Bytes in the folder.</param>
public readonly record struct CollectionProgress(long Done, long Items, long Bytes);

/// <summary>What a worker did.</summary>
/// <param name="Done">Items of its share that are stored.</param>
/// <param name="Items">Items of its share.</param>
/// <param name="Bytes">Bytes in the folder.</param>
/// <param name="IsFull">The disk budget was spent before the last item.</param>
public sealed record CollectionOutcome(long Done, long Items, long Bytes, bool IsFull);
