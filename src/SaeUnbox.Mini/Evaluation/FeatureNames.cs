using System.Globalization;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>Names of features after what the renderer drew where they are active.</summary>
internal static class FeatureNames
{
    /// <param name="labels">By site and feature: the label it goes with best, and how well.</param>
    /// <param name="least">The least correlation that gives a name.</param>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Of(IReadOnlyList<IReadOnlyList<(int Label, double Correlation)>> labels, double least) =>
        MiniModel.Sites.Zip(labels).ToDictionary(site => site.First.Code, site => (IReadOnlyDictionary<string, string>)site.Second.Index()
            .Where(feature => feature.Item.Correlation >= least)
            .ToDictionary(feature => feature.Index.ToString(CultureInfo.InvariantCulture), feature => Plain(SceneLabels.Names[feature.Item.Label])));

    // "color:red" is "something red"; of all others the part behind the group says it.
    private static string Plain(string label) => label.Split(':') is ["color", var color] ? $"something {color}" : label.Split(':')[1];
}
