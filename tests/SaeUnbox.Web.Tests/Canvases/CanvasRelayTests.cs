using Microsoft.Extensions.Options;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Tests.Canvases;

public sealed class CanvasRelayTests
{
    [Fact]
    public async Task Watch_ByAClientThatTakesNothing_KeepsTheNewestAlone()
    {
        using var limits = new ClientLimits(Options.Create(new CanvasOptions { Burst = 1000, RequestsPerSecond = 1000 }));
        var canvas = new CanvasSession("canvas", "ann", OneModel.Mini.NewRecipe("a house"), new HandQueue(), new OneModel(), limits,
            TimeProvider.System);
        var client = new SlowClient();
        using var watcher = new CanvasRelay.Watcher(canvas, client);

        canvas.Change(recipe => recipe with { Seed = 1 });
        await client.Asked.WaitAsync(Studio.Patience);
        for (var seed = 2; seed <= 100; seed++)
            canvas.Change(recipe => recipe with { Seed = seed });
        client.Take();
        await client.Asked.WaitAsync(Studio.Patience);

        Assert.Equal([1, 100], client.Versions);
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
