using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>One step, made. Its tensors belong to the caller (its dispose scope), all [B, C, h, w].</summary>
/// <param name="Index">Index of the step.</param>
/// <param name="Timestep">The step's timestep.</param>
/// <param name="Sigma">The noise level before the step.</param>
/// <param name="Before">The latents before the step.</param>
/// <param name="ModelOutput">The prediction, after guidance.</param>
/// <param name="After">The latents after the step.</param>
/// <param name="Denoised">The clean latents as this step sees them, float32; a preview.</param>
public sealed record DenoisingStep(
    int Index, float Timestep, float Sigma, Tensor Before, Tensor ModelOutput, Tensor After, Tensor Denoised);
