using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>What a text encoder makes of a batch of B prompts of L tokens each.</summary>
/// <param name="Penultimate">[B, L, D]: what the last layer takes (hidden_states[-2]); SDXL's conditioning.</param>
/// <param name="Last">[B, L, D]: what the last layer makes, after the final norm.</param>
/// <param name="Pooled">[B, P]: the last state at the end token, projected where the model has a projection (else P = D).</param>
public sealed record ClipTextStates(Tensor Penultimate, Tensor Last, Tensor Pooled);
