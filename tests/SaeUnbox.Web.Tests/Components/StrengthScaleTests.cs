using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Tests.Components;

public sealed class StrengthScaleTests
{
    private static readonly ListAtlas Atlas = new((Site.Composition, 3, "snow field"))
    {
        Concepts =
        [
            new("snow", "by hand",
            [
                new(Site.Composition, [new(3, .3, null), new(9, .1, null)])
                {
                    Painting = new(EditMode.Add, 5, 1, .9),
                    Removal = new(EditMode.Scale, -1, 2, .8),
                },
            ]),
        ],
    };

    [Fact]
    public void Of_MeasuredFeatures_SpansAroundTheirBestStrength() =>
        Assert.Equal(new(-10, 15, .5, 5), StrengthScale.Of(new(Site.Composition, 3, 5), Atlas));

    [Fact]
    public void Of_FeaturesThatTakeOutByANegativeStrength_SpansAroundIt()
    {
        var atlas = new ListAtlas((Site.Composition, 3, "snow"))
        {
            Concepts = [new("snow", "by hand", [new(Site.Composition, [new(3, .3, null)]) { Removal = new(EditMode.Add, -4, 1, .9) }])],
        };

        Assert.Equal(new(-12, 8, .5, -4), StrengthScale.Of(new(Site.Composition, 3, -4), atlas));
    }

    [Fact]
    public void Of_OtherFeatures_KnowsNoBestStrength()
    {
        Assert.Equal(new(-20, 20, .5, null), StrengthScale.Of(new(Site.Composition, 9, 5), Atlas));
        Assert.Equal(new(-20, 20, .5, null), StrengthScale.Of(new(Site.Style, 3, 5), Atlas));
        Assert.Equal(new(-20, 20, .5, null), StrengthScale.Of(new(Site.Composition, 3, 5) { Also = [9] }, Atlas));
        Assert.Equal(new(-20, 20, .5, null), StrengthScale.Of(new(Site.Composition, 3, 5), null));
    }

    [Fact]
    public void Of_MeasuredFeature_HasItsGoodStrengthWhereItPaintsAlone()
    {
        var atlas = new ListAtlas((Site.Composition, 9, "snow")) { OfNine = new("snow", 6, .9, 1) };

        Assert.Equal(new(-12, 18, .5, 6), StrengthScale.Of(new(Site.Composition, 9, 6), atlas));
        Assert.Null(StrengthScale.Of(new(Site.Composition, 9, 6) { Also = [3] }, atlas).Best);
        Assert.Null(StrengthScale.Of(new(Site.Composition, 9, -1) { Mode = EditMode.Scale }, atlas).Best);
    }

    [Fact]
    public void Of_OtherModes_HasTheirUnits()
    {
        Assert.Equal(new(-2, 4, .1, -1),
            StrengthScale.Of(new(Site.Composition, 3, -1) { Also = [9], Mode = EditMode.Scale }, Atlas));
        Assert.Equal(new(0, 1, .05, null), StrengthScale.Of(new(Site.Composition, 3, 1) { Mode = EditMode.ReplaceMean }, Atlas));
    }

    [Theory]
    [InlineData(-30, -30, 20)]
    [InlineData(40, -20, 40)]
    public void Of_StrengthOutsideTheRange_ReachesIt(double strength, double min, double max) =>
        Assert.Equal(new(min, max, .5, null), StrengthScale.Of(new(Site.Style, 3, strength), Atlas));
}
