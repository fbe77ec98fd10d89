using System.Diagnostics;
using System.Net.Http.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;
using SaeUnbox.Testing;
using SaeUnbox.Web.Sharing;
using SaeUnbox.Web.Tests.Components;

namespace SaeUnbox.Web.Tests.Sharing;

public sealed class PostgresShareStoreTests(PostgresServer server) : IClassFixture<PostgresServer>, IDisposable
{
    private static readonly Recipe House = new() { Model = "mini", Prompt = "a house with \"quotes\", ümlauts and 'or 1=1 --" };
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task Prepare_EmptyDatabase_GivesTheCurrentModel()
    {
        var (options, contexts) = Store(server.NewDatabase());
        Database(options, contexts).Prepare();
        Database(options, contexts).Prepare();

        await using var context = contexts.CreateDbContext();
        Assert.False(context.Database.HasPendingModelChanges());
        Assert.Empty(await context.Database.GetPendingMigrationsAsync());
    }

    [Fact]
    public async Task Save_ByManyNodesAtOnce_GivesOneId()
    {
        var connection = server.NewDatabase();
        var stores = Enumerable.Range(0, 8).Select(_ => Store(connection)).ToArray();
        Parallel.ForEach(stores, store => Database(store.Options, store.Contexts).Prepare());
        var nodes = stores.Select(store => NewStore(store.Contexts, store.Options)).ToArray();

        var ids = await Task.WhenAll(nodes.Select(node => Task.Run(() => node.SaveAsync(House))));
        await nodes[1].SavePictureAsync(ids[0], [1, 2, 3]);

        Assert.Single(ids.Distinct());
        Assert.Equal(House, await nodes[5].FindAsync(ids[0]));
        Assert.Equal([1, 2, 3], await nodes[7].FindPictureAsync(ids[0]));
    }

    [Fact]
    public async Task Import_SqliteFile_KeepsEveryLinkAndRunsOnce()
    {
        var file = new ShareOptions { File = _folder.At("shares.db") };
        var sqlite = new Contexts<ShareContext>(
            new DbContextOptionsBuilder<ShareContext>().UseSqlite(
                $"Data Source={file.File};Pooling=False").Options, options => new(options));
        Database(file, sqlite).Prepare();
        var old = NewStore(sqlite, file);
        var ids = new List<string>();
        for (var seed = 0; seed < 1200; seed++)
            ids.Add(await old.SaveAsync(House with { Seed = seed }));
        await old.SavePictureAsync(ids[7], [7]);

        var (options, contexts) = Store(server.NewDatabase(), import: file.File);
        Database(options, contexts).Prepare();
        Database(options, contexts).Prepare();

        var store = NewStore(contexts, options);
        foreach (var seed in new[] { 0, 7, 499, 500, 1199 })
            Assert.Equal(House with { Seed = seed }, await store.FindAsync(ids[seed]));
        Assert.Equal([7], await store.FindPictureAsync(ids[7]));
        await using var context = contexts.CreateDbContext();
        Assert.Equal(1200, await context.Recipes.CountAsync());
    }

    [Fact]
    public async Task Save_StoreFull_IsRefused()
    {
        var (options, contexts) = Store(server.NewDatabase());
        Database(options, contexts).Prepare();
        options.MaxBytes = 1; // an empty table takes more
        var refused = await Assert.ThrowsAsync<ShareStoreException>(() => NewStore(contexts, options).SaveAsync(House));

        Assert.Contains("store of short links is full", refused.Message);
    }

    [Fact]
    public void Prepare_NothingListening_SaysWhereWithoutThePassword()
    {
        var (options, contexts) = Store("Host=127.0.0.1;Port=1;Database=shares;Username=u;Password=hunter2;Timeout=2");

        var message = Assert.Throws<IOException>(() => Database(options, contexts).Prepare()).Message;

        Assert.Contains("127.0.0.1:1/shares", message);
        Assert.DoesNotContain("hunter2", message);
    }

    [Theory]
    [InlineData("--SaeUnbox:Store=Postgres", "SaeUnbox:Sharing:Connection is empty")]
    [InlineData("--SaeUnbox:Store=Oracle", "'Oracle'; use Sqlite or Postgres")]
    [InlineData("--SaeUnbox:Store=Postgres --SaeUnbox:Sharing:Connection=nonsense", "not a connection string of PostgreSQL")]
    [InlineData("--SaeUnbox:Sharing:Import=/nowhere/shares.db", "/nowhere/shares.db cannot be used")]
    public async Task Start_StoreUnusable_SaysWhyInOneLine(string words, string reason)
    {
        using var process = Process.Start(Studio.Command([
            "--urls",
            "http://127.0.0.1:0",
            $"--SaeUnbox:Sharing:File={_folder.At("s.db")}",
            .. words.Split(' ')
        ]))!;
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();

        Assert.Equal(1, process.ExitCode);
        Assert.Contains(error.Split('\n'),
            line => line.StartsWith("saeunbox: ", StringComparison.Ordinal) && line.Contains(reason, StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", error);
    }

    [Fact]
    public async Task TwoNodes_OnOneDatabase_ShareTheirLinks()
    {
        string[] words = ["--SaeUnbox:Store=Postgres", $"--SaeUnbox:Sharing:Connection={server.NewDatabase()}"];
        await using var first = await Studio.OfAsync(words);
        await using var second = await Studio.OfAsync(words);

        var answer = await first.Client.PostAsJsonAsync("/api/v1/recipes", new { prompt = "a boat at sea", seed = 3 });
        var address = answer.Headers.Location!;

        Assert.Contains("a boat at sea", await second.Client.GetStringAsync(address));
        var card = await second.Client.GetByteArrayAsync($"{address}/card.jpg");
        Assert.Equal(card, await first.Client.GetByteArrayAsync($"{address}/card.jpg"));
        Assert.DoesNotContain("not-asked-for", first.Output + second.Output);
    }

    [Fact]
    public async Task Health_DatabaseUnreachable_SaysSo()
    {
        var connection = server.NewDatabase();
        var name = new NpgsqlConnectionStringBuilder(connection).Database;
        var clock = new HandClock();
        using var health = new ShareHealth(Store(connection + ";Pooling=false").Contexts, clock);
        await health.StartAsync(default);

        server.Do($"drop database {name}");
        await UntilAsync(() => health.Failure is not null);
        server.Do($"create database {name}");
        await UntilAsync(() => health.Failure is null);
        await health.StopAsync(default);

        async Task UntilAsync(Func<bool> isSo)
        {
            for (var left = Studio.Patience; !isSo(); left -= TimeSpan.FromMilliseconds(20))
            {
                Assert.True(left > TimeSpan.Zero, "nothing was noticed");
                clock.Advance(TimeSpan.FromSeconds(5));
                await Task.Delay(20);
            }
        }
    }

    public void Dispose() => _folder.Dispose();

    private static (ShareOptions Options, IDbContextFactory<ShareContext> Contexts) Store(string connection, string? import = null) =>
        (new() { Store = ShareStoreKind.Postgres, Connection = connection, Import = import },
            new PostgresShareContexts(new Contexts<PostgresShareContext>(
                new DbContextOptionsBuilder<PostgresShareContext>().UseNpgsql(connection).Options, options => new(options))));

    private static ShareStore NewStore(IDbContextFactory<ShareContext> contexts, ShareOptions options) =>
        new(contexts, Options.Create(options), new ShareRoom(Options.Create(options)), TimeProvider.System);

    private static ShareDatabase Database(ShareOptions options,
        IDbContextFactory<ShareContext> contexts) => new(contexts, Options.Create(options), NullLogger<ShareDatabase>.Instance);

    private sealed class Contexts<T>(DbContextOptions<T> options, Func<DbContextOptions<T>, T> make)
        : IDbContextFactory<T> where T : DbContext
    {
        public T CreateDbContext() => make(options);
    }
}
