using Microsoft.Extensions.Options;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Tests.Canvases;

public sealed class CanvasRelayTests
{
    [Fact]
    public async Task Watch_SlowClient_KeepsOnlyTheNewest()
    {
        using var limits = new ClientLimits(Options.Create(new CanvasOptions { Burst = 1000, RequestsPerSecond = 1000 }));
        var canvas = Canvas(limits);
        var client = new SlowClient();
        using var watcher = new CanvasRelay.Watcher(canvas, client, "mine");

        canvas.Change(recipe => recipe with { Seed = 1 });
        await client.Asked.WaitAsync(Studio.Patience);
        for (var seed = 2; seed <= 100; seed++)
            canvas.Change(recipe => recipe with { Seed = seed });
        client.Take();
        await client.Asked.WaitAsync(Studio.Patience);

        Assert.Equal([1, 100], client.Versions);
    }

    [Theory]
    [InlineData("mine", new long[] { 3 })]
    [InlineData("other", new long[] { 1, 2, 3 })]
    public async Task Watch_Stroke_NotifiesThePainterOnlyOfItsEnd(string connection, long[] told)
    {
        using var limits = new ClientLimits(Options.Create(new CanvasOptions { Burst = 1000, RequestsPerSecond = 1000 }));
        var canvas = Canvas(limits);
        var client = new SlowClient();
        using var watcher = new CanvasRelay.Watcher(canvas, client, connection);
        client.Take();

        for (var stroke = 1; stroke <= 3; stroke++)
        {
            canvas.Paint(0, BrushMask.FromCells(32, 32, new float[1024]), isLast: stroke == 3, painter: "mine");
            if (!told.Contains(stroke))
                continue;
            await client.Asked.WaitAsync(Studio.Patience);
            client.Take();
        }

        Assert.Equal(told, client.Versions);
    }

    private static CanvasSession Canvas(ClientLimits limits)
    {
        var recipe = OneModel.Mini.NewRecipe("a house") with { Edits = [new FeatureEdit(OneModel.Mini.Sites[0].Site, 1, 5)] };
        return new("canvas", "ann", recipe.Check(), new HandQueue(), new OneModel(), limits, TimeProvider.System);
    }

    /// <summary>Receives each message only when the test allows it.</summary>
    private sealed class SlowClient : IPaintClient
    {
        private readonly SemaphoreSlim _takes = new(0);

        public SemaphoreSlim Asked { get; } = new(0);

        public List<long> Versions { get; } = [];

        public void Take() => _takes.Release();

        public Task Changed(ChangedMessage change)
        {
            Versions.Add(change.Version);
            Asked.Release();
            return _takes.WaitAsync();
        }

        public Task Frame(FrameMessage frame) => Task.CompletedTask;

        public Task Status(StatusMessage status) => Task.CompletedTask;

        public Task Rejected(RejectedMessage rejection) => Task.CompletedTask;
    }
}
