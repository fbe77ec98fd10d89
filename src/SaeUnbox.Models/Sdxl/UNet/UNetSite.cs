namespace SaeUnbox.Models;

/// <summary>A transformer of the U-Net: a place whose output can be watched and changed.</summary>
/// <param name="Code">Short name: block, index of the block, index of the transformer in it, e.g. "down.2.1", "mid.0".</param>
/// <param name="ModulePath">Name in the reference pipeline, e.g. "unet.down_blocks.2.attentions.1".</param>
/// <param name="Channels">Width of its input and output.</param>
/// <param name="Downscale">The latents' side over the site's side, where it halves evenly.</param>
public sealed record UNetSite(string Code, string ModulePath, int Channels, int Downscale);
