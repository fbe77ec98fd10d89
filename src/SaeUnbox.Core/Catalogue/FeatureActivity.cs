namespace SaeUnbox.Core;

/// <summary>How a feature is active over the pictures of an atlas.</summary>
/// <param name="Histogram">Null if it was not counted.</param>
/// <param name="Together">Features that are active in the same pictures, the largest correlation first.</param>
/// <param name="Random">A random choice of the pictures in which it is active, strongest first.</param>
/// <param name="Weak">Pictures in which it is only weakly active: the weakest of another random choice, strongest first.</param>
public sealed record FeatureActivity(
    ActivationHistogram? Histogram, IReadOnlyList<TogetherFeature> Together, IReadOnlyList<TopPicture> Random,
    IReadOnlyList<TopPicture> Weak)
{
    /// <summary>What an atlas knows that was made without it.</summary>
    public static FeatureActivity Unknown { get; } = new(null, [], [], []);
}

/// <summary>
/// Numbers of cells by activation. The bins are logarithmic: bin i holds activations from 2^(i/4) up to 2^((i + 1)/4).
/// </summary>
/// <param name="First">Number of the first bin.</param>
/// <param name="Counts">Cells in that bin and the following ones.</param>
public sealed record ActivationHistogram(int First, IReadOnlyList<long> Counts)
{
    public const int BinsPerOctave = 4;

    /// <param name="activation">Above 0.</param>
    public static int BinOf(double activation) => (int)Math.Floor(BinsPerOctave * Math.Log2(activation));

    /// <summary>The smallest activation of a bin.</summary>
    public static double BoundOf(int bin) => Math.Pow(2, (double)bin / BinsPerOctave);
}

/// <param name="Correlation">Pearson's, of the mean activations of the two features over all pictures.</param>
public sealed record TogetherFeature(FeatureCard Card, double Correlation);
