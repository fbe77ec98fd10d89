using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Sees what a site was given and what it made of it, both [B, C, h, w], and returns what goes on in the output's place: the output
/// itself, the input (which takes the site away), or a new tensor of the same shape. It must not write into its arguments, and
/// keeps no more than copies or aliases of them.
/// </summary>
public delegate Tensor SiteHook(Tensor input, Tensor output);
