using System.Buffers.Text;
using System.Data.Common;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Sharing;

/// <summary>Shared recipes in a database; what nobody opened for long is forgotten.</summary>
internal sealed class ShareStore(IDbContextFactory<ShareContext> contexts, IOptions<ShareOptions> options, TimeProvider clock) : IShareStore
{
    private const int IdBytes = 16, IdLength = 22;
    private const long Day = 86_400;

    public Task<string> SaveAsync(Recipe recipe, CancellationToken cancellation = default)
    {
        var (json, hash) = (recipe.ToJson(), recipe.ContentHash());
        return WithinAsync(context => SaveAsync(context, json, hash, cancellation), cancellation);
    }

    public Task<Recipe?> FindAsync(string id, CancellationToken cancellation = default) =>
        IsId(id) ? WithinAsync(context => FindAsync(context, id, cancellation), cancellation) : Task.FromResult<Recipe?>(null);

    public Task<byte[]?> FindPictureAsync(string id, CancellationToken cancellation = default) => IsId(id)
        ? WithinAsync(context => context.Recipes.AsNoTracking().Where(one => one.Id == id).Select(one => one.Picture).FirstOrDefaultAsync(cancellation), cancellation)
        : Task.FromResult<byte[]?>(null);

    public Task SavePictureAsync(string id, byte[] picture, CancellationToken cancellation = default) =>
        WithinAsync(context => context.Recipes.Where(one => one.Id == id).ExecuteUpdateAsync(set => set.SetProperty(one => one.Picture, picture), cancellation), cancellation);

    private async Task<T> WithinAsync<T>(Func<ShareContext, Task<T>> work, CancellationToken cancellation)
    {
        try
        {
            await using var context = await contexts.CreateDbContextAsync(cancellation);
            return await work(context);
        }
        catch (Exception exception) when (exception is DbException or DbUpdateException or TimeoutException or SocketException or InvalidOperationException { InnerException: DbException })
        {
            throw new ShareStoreException(exception);
        }
    }

    private async Task<string> SaveAsync(ShareContext context, string json, string hash, CancellationToken cancellation)
    {
        await ForgetAsync(context, cancellation);
        if (await context.Recipes.AsNoTracking().Where(one => one.Hash == hash).Select(one => one.Id).FirstOrDefaultAsync(cancellation) is { } known)
            return known;
        var id = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(IdBytes));
        context.Recipes.Add(new SharedRecipe { Id = id, Hash = hash, Json = json, LastSeen = Now });
        try
        {
            await context.SaveChangesAsync(cancellation);
            return id;
        }
        catch (DbUpdateException)
        {
            // Somebody shared the very same recipe at the same moment.
            return await context.Recipes.AsNoTracking().Where(one => one.Hash == hash).Select(one => one.Id).FirstAsync(cancellation);
        }
    }

    private async Task<Recipe?> FindAsync(ShareContext context, string id, CancellationToken cancellation)
    {
        if (await context.Recipes.FindAsync([id], cancellation) is not { } found || IsOld(found))
            return null;
        if (Now - found.LastSeen > Day)
        {
            found.LastSeen = Now;
            await context.SaveChangesAsync(cancellation);
        }
        return Recipe.FromJson(found.Json);
    }

    private long Now => clock.GetUtcNow().ToUnixTimeSeconds();

    private bool IsOld(SharedRecipe recipe) => options.Value.Keep > TimeSpan.Zero && Now - recipe.LastSeen > options.Value.Keep.TotalSeconds;

    private async Task ForgetAsync(ShareContext context, CancellationToken cancellation)
    {
        if (options.Value.Keep <= TimeSpan.Zero)
            return;
        var limit = Now - (long)options.Value.Keep.TotalSeconds;
        await context.Recipes.Where(one => one.LastSeen < limit).ExecuteDeleteAsync(cancellation);
    }

    private static bool IsId(string id) => id.Length == IdLength && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}
