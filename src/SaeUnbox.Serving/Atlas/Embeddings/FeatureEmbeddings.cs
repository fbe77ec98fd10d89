namespace SaeUnbox.Serving;

/// <summary>What features' pictures show, as unit vectors of one model that embeds texts, too.</summary>
/// <param name="Probe">The same model's vector of <see cref="ProbeText"/>, by which it is known again.</param>
/// <param name="Vectors">Features with pictures; each the normalised mean of its pictures' vectors.</param>
public sealed record FeatureEmbeddings(float[] Probe, IReadOnlyList<FeatureEmbedding> Vectors)
{
    public const string ProbeText = "a photo";
}

public readonly record struct FeatureEmbedding(HookSite Site, int Feature, float[] Vector);
