namespace SaeUnbox.Core.Tests;

public class ActivationMapsTests
{
    // Two cells with three features each, from a dictionary of ten. Feature 9 is stored in the second cell with value 0.
    private static readonly SiteActivations Maps =
        new(Site.Style, step: 1, rows: 1, columns: 2, features: 10, indices: [4, 7, 2, 2, 7, 9], values: [1, 8, 3, 3, 2, 0]);

    [Fact]
    public void Map_OfAFeature_HoldsItsValuesAndZeros()
    {
        Assert.Equal(3, Maps.K);
        Assert.Equal([3, 3], Maps.Map(2));
        Assert.Equal([8, 2], Maps.Map(7));
        Assert.Equal([1, 0], Maps.Map(4));
        Assert.Equal([0, 0], Maps.Map(5));
    }

    [Fact]
    public void Top_OfAFewFeatures_RanksThemByTheirMeans()
    {
        Assert.Equal([new(7, 5, 8, 1), new(2, 3, 3, 1), new(4, 0.5, 1, 0.5)], Maps.Top(10));
        Assert.Equal([7, 2], Maps.Top(2).Select(feature => feature.Feature));
    }

    [Fact]
    public void Under_ACell_RanksWhatIsActiveThere()
    {
        Assert.Equal([new(7, 8), new(2, 3), new(4, 1)], Maps.Under(0, 0));
        Assert.Equal([new(2, 3), new(7, 2)], Maps.Under(0, 1));
    }

    [Fact]
    public void Find_SiteAndStep_GivesTheMapOrNull()
    {
        var first = new SiteActivations(Site.Composition, 0, 1, 1, 4, [3], [1]);
        var maps = new ActivationMaps([first, Maps]);

        Assert.Same(Maps, maps.Find(Site.Style, 1));
        Assert.Null(maps.Find(Site.Style));
        Assert.Equal([first, Maps], maps.All);
    }

    [Theory]
    [InlineData(new[] { 0, 10 }, new[] { 1f, 1 })]
    [InlineData(new[] { -1, 1 }, new[] { 1f, 1 })]
    [InlineData(new[] { 0, 1, 2 }, new[] { 1f, 1, 1 })]
    [InlineData(new[] { 0, 1 }, new[] { 1f })]
    public void Constructor_MismatchedData_Throws(int[] indices, float[] values)
    {
        Assert.Throws<ArgumentException>(() => new SiteActivations(Site.Style, 0, 1, 2, 10, indices, values));
    }
}
