using System.Globalization;
using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>Adds pictures of scenes to the figures of features.</summary>
internal static class SceneSelectivity
{
    /// <param name="codes">Codes of [B, 16, 16, d].</param>
    /// <param name="labels">For each picture [labels, 16, 16] of 0 or 1, such as <see cref="SceneLabels.Of(ScenePicture)"/>.</param>
    public static void Add(this FeatureSelectivity selectivity, SparseCodes codes, IReadOnlyList<byte[]> labels)
    {
        using var scope = NewDisposeScope();
        var z = codes.ToDense().reshape(-1, codes.Features);
        const long cells = CellMask.Side * CellMask.Side;
        selectivity.Add(z, stack(labels.Select(one => tensor(one, device: z.device).reshape(-1, cells).t())).reshape(z.shape[0], -1));
    }
}

/// <summary>Names features after the labels that they correlate with.</summary>
internal static class FeatureNames
{
    /// <param name="labels">For each site and feature, the label with the highest correlation.</param>
    /// <param name="least">The least correlation that gives a name.</param>
    /// <returns>Names by site and by number of the feature.</returns>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Of(
        IReadOnlyList<IReadOnlyList<(int Label, double Correlation)>> labels, double least) =>
        MiniModel.Sites.Zip(labels).ToDictionary(site => site.First.Code, site => (IReadOnlyDictionary<string, string>)site.Second.Index()
            .Where(feature => feature.Item.Correlation >= least)
            .ToDictionary(feature => feature.Index.ToString(CultureInfo.InvariantCulture), feature =>
                Plain(SceneLabels.Names[feature.Item.Label])));

    // "color:red" becomes "something red"; other labels lose their group.
    private static string Plain(string label) => label.Split(':') is ["color", var color] ? $"something {color}" : label.Split(':')[1];
}
