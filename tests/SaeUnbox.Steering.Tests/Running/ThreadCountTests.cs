namespace SaeUnbox.Steering.Tests;

/// <summary>The same recipe gives the same bits, whichever thread runs it and whatever runs beside it.</summary>
public sealed class ThreadCountTests(GoldenModel model) : IClassFixture<GoldenModel>
{
    private const int Rounds = 5;

    [Fact]
    public void Run_OnThreadsWithOtherThreadCounts_GivesTheSamePixelsAndMaps()
    {
        var recipe = model.Recipe("turbo1");
        using var oneThread = LoadedModel.Load(GoldenModel.Options("turbo1") with { Threads = 1 });
        using var twoThreads = LoadedModel.Load(GoldenModel.Options("turbo1") with { Threads = 2 });
        LoadedModel[] loaded = [oneThread, twoThreads];
        var alone = loaded.Select(Made).ToArray();

        var made = new Made[loaded.Length][];
        var threads = loaded.Select((each, index) => new Thread(() =>
        {
            Threads.Use(3);
            made[index] = [.. Enumerable.Range(0, Rounds).Select(_ => Made(each))];
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        for (var index = 0; index < loaded.Length; index++)
            Assert.All(made[index], other => AssertSame(alone[index], other));

        Made Made(LoadedModel each)
        {
            using var runner = new RecipeRunner(each);
            var outcome = runner.Run(recipe, new RunRequest { Read = [.. each.Saes.Keys] });
            return new(outcome.Picture!.Pixels.ToArray(), [.. outcome.Maps.All.SelectMany(map => map.Values.ToArray())]);
        }
    }

    [Fact]
    public void Load_ModelOfFewChannels_UsesOneThreadByDefault()
    {
        using var plain = LoadedModel.Load(GoldenModel.Options("turbo1"));
        using var told = LoadedModel.Load(GoldenModel.Options("turbo1") with { Threads = 2 });

        Assert.Equal((1, 2), (plain.Threads, told.Threads));
    }

    private static void AssertSame(Made expected, Made actual)
    {
        Assert.Equal(expected.Pixels, actual.Pixels);
        Assert.Equal(expected.Activations, actual.Activations);
    }

    private sealed record Made(byte[] Pixels, float[] Activations);
}
