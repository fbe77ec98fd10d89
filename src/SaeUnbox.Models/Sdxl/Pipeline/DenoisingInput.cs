using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>What the U-Net is asked in one step.</summary>
/// <param name="Step">Index of the step.</param>
/// <param name="Sample">The latents as the U-Net takes them: scaled, and doubled under guidance (unconditional half first). [B, C, h, w].</param>
/// <param name="Timestep">[1], float32.</param>
/// <param name="Conditioning">Text and sizes, prepared.</param>
public sealed record DenoisingInput(int Step, Tensor Sample, Tensor Timestep, UNetConditioning Conditioning);

/// <summary>
/// Answers a step in the U-Net's place: runs it with hooks, with captures, or goes on from a held state. Returns the
/// prediction for <see cref="DenoisingInput.Sample"/>, of its shape.
/// </summary>
public delegate Tensor NoisePredictor(DenoisingInput input, CancellationToken cancellation);
