namespace SaeUnbox.Steering;

/// <summary>
/// How strongly features fire: mean and standard deviation of z_f over the positions where z_f &gt; 0
/// (<c>mean.pt</c>, <c>std.pt</c>); 0 for a feature that never fires.
/// </summary>
public sealed record ActivationScale(IReadOnlyList<float> Mean, IReadOnlyList<float>? StandardDeviation);
