using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using SaeUnbox.Testing;
using SaeUnbox.Web.Sharing;

namespace SaeUnbox.Web.Tests.Sharing;

public sealed class ShareStoreTests : IAsyncLifetime
{
    private static readonly Recipe House = new() { Model = "mini", Prompt = "a house" };
    private readonly TemporaryFolder _folder = new();
    private readonly Clock _clock = new();
    private readonly ShareOptions _options = new() { Keep = TimeSpan.FromDays(30) };
    private readonly Contexts _contexts;
    private readonly ShareStore _store;

    public ShareStoreTests()
    {
        _contexts =
            new(new DbContextOptionsBuilder<ShareContext>().UseSqlite($"Data Source={_folder.At("shares.db")};Pooling=False").Options);
        _options.File = _folder.At("shares.db");
        _store = NewStore();
    }

    public async ValueTask InitializeAsync()
    {
        await using var context = _contexts.CreateDbContext();
        await context.Database.MigrateAsync();
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Migrations_Applied_GiveTheCurrentModel()
    {
        await using var context = _contexts.CreateDbContext();

        Assert.False(context.Database.HasPendingModelChanges());
        Assert.Empty(await context.Database.GetPendingMigrationsAsync());
    }

    [Fact]
    public async Task AnyCall_DatabaseBroken_ThrowsOneSentence()
    {
        var id = await _store.SaveAsync(House);
        File.WriteAllText(_folder.At("shares.db"), new string('x', 4096));

        foreach (var call in new Func<Task>[]
        {
            () => _store.SaveAsync(House),
            () => _store.FindAsync(id),
            () => _store.FindPictureAsync(id),
            () => _store.SavePictureAsync(id, [1])
        })
            Assert.Contains("try again in a moment", (await Assert.ThrowsAsync<ShareStoreException>(call)).Message);
    }

    [Fact]
    public async Task Save_Recipe_GivesAnUnguessableId()
    {
        var ids = new[] { await _store.SaveAsync(House), await _store.SaveAsync(House with { Seed = 1 }) };

        Assert.All(ids, id => Assert.Matches("^[A-Za-z0-9_-]{22}$", id));
        Assert.NotEqual(ids[0], ids[1]);
        Assert.Equal(House, await _store.FindAsync(ids[0]));
        Assert.Equal(ids[0], await _store.SaveAsync(House));
    }

    [Fact]
    public async Task Find_LinkUnopenedForLong_IsGone()
    {
        var id = await _store.SaveAsync(House);
        _clock.Passed += TimeSpan.FromDays(31);

        Assert.Null(await _store.FindAsync(id));
    }

    [Fact]
    public async Task Find_LinkOpenedFromTimeToTime_IsKept()
    {
        var id = await _store.SaveAsync(House);
        for (var month = 0; month < 3; month++)
        {
            _clock.Passed += TimeSpan.FromDays(25);
            Assert.Equal(House, await _store.FindAsync(id));
        }
    }

    [Fact]
    public async Task Save_RecipeOfAnExpiredLink_GivesANewId()
    {
        var old = await _store.SaveAsync(House);
        _clock.Passed += TimeSpan.FromDays(31);

        var id = await _store.SaveAsync(House);

        Assert.NotEqual(old, id);
        Assert.Equal(House, await _store.FindAsync(id));
    }

    // Set a century ahead and a century back, before and after a restart.
    [Theory]
    [InlineData(36_500)]
    [InlineData(-36_500)]
    public async Task Find_ClockSetWrong_LosesNoLink(int days)
    {
        var id = await _store.SaveAsync(House);
        _clock.Error = TimeSpan.FromDays(days);
        Assert.Equal(House, await _store.FindAsync(id));
        await _store.SaveAsync(House with { Seed = 1 });

        var restarted = NewStore();
        await restarted.SaveAsync(House with { Seed = 2 });
        Assert.Equal(House, await restarted.FindAsync(id));
        _clock.Error = default;
        var mended = NewStore();
        await mended.SaveAsync(House with { Seed = 3 });
        Assert.Equal(House, await mended.FindAsync(id));
    }

    [Fact]
    public async Task Save_DiskAlmostFull_IsRefusedAndOldLinksOpen()
    {
        var id = await _store.SaveAsync(House);
        _options.MinFreeBytes = long.MaxValue;

        var refused = await Assert.ThrowsAsync<ShareStoreException>(() => _store.SaveAsync(House with { Seed = 1 }));

        Assert.Contains("disk with the short links is full", refused.Message);
        Assert.Equal(House, await _store.FindAsync(id));
        Assert.Equal(id, await _store.SaveAsync(House));
    }

    [Fact]
    public async Task Save_StoreFull_IsRefused()
    {
        _options.MaxBytes = 1 << 20;
        var masks = Enumerable.Range(0, 200).Select(seed => House with { Seed = seed, Prompt = new('x', 9000) }).ToArray();

        var refused = await Assert.ThrowsAsync<ShareStoreException>(async () =>
        {
            foreach (var recipe in masks)
                await _store.SaveAsync(recipe);
        });
        Assert.Contains("store of short links is full", refused.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("' or 1=1 --")]
    [InlineData("../../../../etc/passwd")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAA")]
    public async Task Find_InvalidId_FindsNothing(string id)
    {
        await _store.SaveAsync(House);

        Assert.Null(await _store.FindAsync(id));
        Assert.Null(await _store.FindPictureAsync(id));
    }

    [Fact]
    public async Task Save_SameRecipeConcurrently_GivesOneId()
    {
        var ids = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => _store.SaveAsync(House))));

        Assert.Single(ids.Distinct());
    }

    private ShareStore NewStore() => new(_contexts, Options.Create(_options), new ShareRoom(Options.Create(_options)), _clock);

    private sealed class Clock : TimeProvider
    {
        private static readonly DateTimeOffset Start = new(2130, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public TimeSpan Passed { get; set; }

        /// <summary>How wrong the time of day is.</summary>
        public TimeSpan Error { get; set; }

        public override DateTimeOffset GetUtcNow() => Start + Passed + Error;

        public override long GetTimestamp() => Passed.Ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    }

    private sealed class Contexts(DbContextOptions<ShareContext> options) : IDbContextFactory<ShareContext>
    {
        public ShareContext CreateDbContext() => new(options);
    }
}
