using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Which decoder makes the picture.</summary>
public enum AutoencoderChoice
{
    /// <summary>The model's own, the folder vae.</summary>
    KL,

    /// <summary>A distilled one: faster by far, and a little less true.</summary>
    Tiny,
}

/// <summary>How a model folder is loaded.</summary>
public sealed record SdxlPipelineOptions
{
    /// <summary>float32, bfloat16 or float16 (on a CPU: numbers rounded to float16, arithmetic in float32).</summary>
    public ScalarType DType { get; init; } = ScalarType.Float32;

    public Device Device { get; init; } = CPU;

    public AutoencoderChoice Autoencoder { get; init; }

    /// <summary>The folder of the autoencoder; null: vae, or for the tiny one vae_tiny in the model's folder or beside it.</summary>
    public string? AutoencoderFolder { get; init; }

    /// <summary>The folder of another scheduler_config.json; null: the model's own.</summary>
    public string? SchedulerFolder { get; init; }

    /// <summary>Told of the share of the weights that is loaded.</summary>
    public Action<double>? Progress { get; init; }

    /// <summary>Ends the loading between two tensors.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>How large latents are decoded; null: the autoencoder's own choice.</summary>
    public Tiling? Tiling { get; init; }
}
