namespace SaeUnbox.Lab.Tests;

/// <summary>An atlas of two sites with four features each.</summary>
internal static class SmallAtlas
{
    public static readonly Site First = Site.Parse("down.2.1"), Second = Site.Parse("up.0.1");

    public static AtlasContents Contents { get; } = new("tiny",
        [
            Feature(First, 0, "snow", ["snow", "winter"], .4, 9), Feature(First, 1, "red house", ["house", "roof"], .2, 3),
            Feature(First, 2, null, [], 0, 0, mean: 0), Feature(First, 3, "sea \"waves\"", ["sea", "boat"], .3, 5),
            Feature(Second, 0, "night", ["night", "moon"], .5, 1), Feature(Second, 1, "snowman", ["snowman", "snow"], .1, 7),
            Feature(Second, 2, "größer", ["größer"], .05, 2), Feature(Second, 3, "mosaic", ["mosaic"], .01, 4),
        ],
        [new("a snowy field at night", 5, 32, 16, [1, 2, 3]), new("two boats at sea", null, 16, 32, [4, 5])],
        [new(First, 8, 2, 16, 16, [9, 9]), new(Second, 8, 2, 16, 16, [8])],
        [new("Let it snow", new Recipe { Model = "tiny", Prompt = "a field", Edits = [new FeatureEdit(First, 0, 8)] })]);

    private static AtlasFeature Feature(Site site, int feature, string? name, string[] words, double frequency, double strongest,
        double mean = 2) => new(
        new(site, feature, mean, .5, frequency), strongest, name, words,
        name is null
            ? []
            : [new(feature % 2, strongest, BrushMask.FromCells(2, 2, [1, 0, .5f, 0])), new((feature + 1) % 2, strongest / 2, null)],
        [(site, (feature + 1) % 4, .9 - (.1 * feature)), (site == First ? Second : First, feature, .5)],
        new(feature, feature / 4f, 1 - (feature / 4f)), name is null ? null : feature);
}
