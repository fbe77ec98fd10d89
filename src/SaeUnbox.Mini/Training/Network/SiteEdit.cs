using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>A change of one site's delta in training, and the picture it should lead to.</summary>
/// <param name="Change">From the site's delta to the one that goes on, both [B, channels, 16, 16].</param>
/// <param name="Target">Latents that would be right, [B, 4, 64, 64].</param>
/// <param name="Weight">Weight of each latent in the loss, [B, 1, 64, 64].</param>
/// <param name="Labels">Labels of the right picture, for the sites behind; null where there are none.</param>
internal sealed record SiteEdit(Func<Tensor, Tensor> Change, Tensor Target, Tensor Weight, Tensor? Labels);
