namespace SaeUnbox.Lab.Tests;

public class StochasticNeighboursTests
{
    [Fact]
    public void Place_ThreeClusters_StayApart()
    {
        var (distances, clusters) = Clusters(3, 30);
        var places = StochasticNeighbours.Place(distances, 10);

        // Of nearly every point the nearest on the plane is of its own cluster.
        var kept = places.Index().Count(place => clusters[Nearest(places, place.Index)] == clusters[place.Index]);
        Assert.True(kept >= 85, $"{kept} of 90");
        Assert.All(places, place => Assert.True(place is { X: >= 0 and <= 1, Y: >= 0 and <= 1 }, $"{place}"));
    }

    [Fact]
    public void Place_Twice_GivesTheSame()
    {
        var (distances, _) = Clusters(2, 12);

        Assert.Equal(StochasticNeighbours.Place(distances), StochasticNeighbours.Place(distances));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void Place_FewPoints_HavePlaces(int count)
    {
        var places = StochasticNeighbours.Place(new float[count, count]);

        Assert.Equal(count, places.Count);
        Assert.All(places, place => Assert.True(float.IsFinite(place.X) && float.IsFinite(place.Y)));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(1000)]
    [InlineData(10000)]
    public void Place_ScaledDistances_GiveTheSame(int more)
    {
        var (distances, _) = Clusters(2, 12);
        var (n, larger) = (distances.GetLength(0), (float[,])distances.Clone());
        for (var i = 0; i < n; i++)
            for (var j = 0; j < n; j++)
            {
                // Sixty-fourths are exact in both.
                distances[i, j] = MathF.Round(distances[i, j] * 64) / 64;
                larger[i, j] = i == j ? 0 : distances[i, j] + more;
            }

        Assert.Equal(StochasticNeighbours.Place(distances), StochasticNeighbours.Place(larger));
    }

    [Fact]
    public void Place_Cancelled_Stops()
    {
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();

        Assert.Throws<OperationCanceledException>(() => StochasticNeighbours.Place(Clusters(2, 20).Distances,
            cancellation: cancellation.Token));
    }

    private static int Nearest(IReadOnlyList<(float X, float Y)> places, int of) => Enumerable.Range(0, places.Count).Where(i => i != of)
        .MinBy(i => Math.Pow(places[i].X - places[of].X, 2) + Math.Pow(places[i].Y - places[of].Y, 2));

    private static (float[,] Distances, int[] Clusters) Clusters(int clusters, int size)
    {
        var random = new Random(3);
        var points = Enumerable
            .Range(0, clusters * size)
            .Select(i => Enumerable.Range(0, 8).Select(d => (d == i / size ? 4 : 0) + random.NextDouble()).ToArray())
            .ToArray();
        var distances = new float[points.Length, points.Length];
        for (var i = 0; i < points.Length; i++)
            for (var j = 0; j < points.Length; j++)
                distances[i, j] = (float)points[i].Zip(points[j], (a, b) => (a - b) * (a - b)).Sum();
        return (distances, [.. Enumerable.Range(0, points.Length).Select(i => i / size)]);
    }
}
