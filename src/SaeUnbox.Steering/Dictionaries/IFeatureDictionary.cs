namespace SaeUnbox.Steering;

/// <summary>
/// A dictionary of features of what a site adds to its input, or of its output: vectors x [d] become sparse activations z [n] and back. All
/// mathematics is in float32, on <see cref="Device"/>.
/// </summary>
public interface IFeatureDictionary : IDisposable
{
    /// <summary>n, the number of features.</summary>
    int Features { get; }

    /// <summary>d, the channels of the site.</summary>
    int Width { get; }

    /// <summary>Active features per position, or their mean number if it varies; 10 if the files do not give it.</summary>
    int K { get; }

    /// <summary>Where it was loaded from, for messages.</summary>
    string Source { get; }

    Device Device { get; }

    /// <summary>Whether x is the output of the site rather than output - input.</summary>
    bool ReadsOutput => false;

    /// <summary>[n, d], row-major: row f is the direction d_f of feature f.</summary>
    Tensor Dictionary { get; }

    /// <summary>Mean and standard deviation of each feature where it is active; null if they were not measured.</summary>
    ActivationScale? Scale { get; }

    /// <summary>Computes z, as the active features of every position.</summary>
    /// <param name="x">Vectors of <see cref="FeatureDictionaries.VectorsOf"/>, channels last: [..., d], any dtype.</param>
    SparseCodes Encode(Tensor x);

    /// <summary>Computes the reconstruction of x: [..., d] float32.</summary>
    Tensor Decode(SparseCodes codes);
}

public static class FeatureDictionaries
{
    /// <summary>What a dictionary encodes of a site's input and output [batch, d, h, w]: [batch, h, w, d] in float32.</summary>
    public static Tensor VectorsOf(this IFeatureDictionary dictionary, Tensor input, Tensor output) => dictionary.ReadsOutput
        ? output.to(ScalarType.Float32).permute(0, 2, 3, 1)
        : BlockEdit.Difference(input, output);

    /// <summary>The reconstruction of x [..., d].</summary>
    public static Tensor Reconstruct(this IFeatureDictionary dictionary, Tensor x)
    {
        using var codes = dictionary.Encode(x);
        return dictionary.Decode(codes);
    }

    /// <summary>d_f, the direction of a feature: [d], a view.</summary>
    /// <exception cref="SaeException">There is no such feature.</exception>
    public static Tensor Direction(this IFeatureDictionary dictionary, int feature)
    {
        dictionary.RequireFeature(feature);
        return dictionary.Dictionary[feature];
    }

    /// <summary>mean_f, the mean activation of a feature where it is active. Steering strengths are multiples of it.</summary>
    /// <exception cref="SaeException">There is no such feature, or the means were not measured.</exception>
    public static float MeanOf(this IFeatureDictionary dictionary, int feature)
    {
        dictionary.RequireFeature(feature);
        return dictionary.Scale?.Mean[feature]
            ?? throw new SaeException(
                $"{dictionary.Source}: mean.pt is missing, and painting with add needs the features' mean activations; "
                + "saeunbox collect and then saeunbox statistics --write-scale make it.");
    }

    /// <exception cref="SaeException">There is no such feature.</exception>
    public static void RequireFeature(this IFeatureDictionary dictionary, int feature)
    {
        if (feature < 0 || feature >= dictionary.Features)
            throw new SaeException($"Feature {feature} does not exist in {dictionary.Source}: it holds 0 to {dictionary.Features - 1}.");
    }
}
