namespace SaeUnbox.Core;

/// <summary>What is known of a feature over many images.</summary>
/// <param name="Site">Its site.</param>
/// <param name="Feature">Its index.</param>
/// <param name="Mean">Mean activation over the positions at which it is active; 0 where it never was.</param>
/// <param name="Std">Standard deviation over the same positions.</param>
/// <param name="Frequency">Share of all positions at which it is active; null where it was not counted.</param>
public sealed record FeatureStatistics(HookSite Site, int Feature, double Mean, double Std, double? Frequency = null);
