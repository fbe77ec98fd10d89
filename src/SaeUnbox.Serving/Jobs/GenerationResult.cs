namespace SaeUnbox.Serving;

/// <summary>What a job gave.</summary>
/// <param name="JobId">The job.</param>
/// <param name="Recipe">The recipe that was run.</param>
/// <param name="Picture">The encoded picture; empty where none was wanted.</param>
/// <param name="Maps">The activations of the sites that were asked for.</param>
/// <param name="Timings">How long each stage took, in their order.</param>
public sealed record GenerationResult(
    Guid JobId, Recipe Recipe, ReadOnlyMemory<byte> Picture, ActivationMaps Maps, IReadOnlyList<StageTiming> Timings);
