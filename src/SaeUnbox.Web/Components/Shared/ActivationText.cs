using System.Globalization;

namespace SaeUnbox.Web.Components.Shared;

/// <summary>Writes activations in the unit that all pages use: multiples of the feature's mean where it is active.</summary>
internal static class ActivationText
{
    public const string Unit = "×1 is the feature's mean where it is active";

    /// <summary>Such as "×0.042", "×0.42" or "×4.2"; the plain number if the feature's mean is unknown.</summary>
    public static string Of(FeatureStatistics? statistics, double activation) =>
        statistics?.Relative(activation) is { } times ? Times(times) : Raw(activation);

    public static string Times(double times) =>
        times.ToString(times < .0995 ? "×0.000" : times < .995 ? "×0.00" : "×0.0", CultureInfo.InvariantCulture);

    /// <summary>The activation as the autoencoder gives it.</summary>
    public static string Raw(double activation) => activation.ToString("0.###", CultureInfo.InvariantCulture);
}
