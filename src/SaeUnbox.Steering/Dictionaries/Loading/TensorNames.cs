namespace SaeUnbox.Steering;

/// <summary>The names of the tensors in a published file.</summary>
internal static class TensorNames
{
    public const string StateDict = "state_dict";
    public const string EncoderWeight = "encoder.weight";
    public const string DecoderWeight = "decoder.weight";
    public const string PreBias = "pre_bias";
    public const string LatentBias = "latent_bias";
    public const string StatsLastNonzero = "stats_last_nonzero";
}
