namespace SaeUnbox.Lab;

/// <summary>A picture to collect from.</summary>
/// <param name="Text">The prompt.</param>
/// <param name="Seed">Seed of its noise, at least 0.</param>
public sealed record Caption(string Text, long Seed);
