using System.Net;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using SaeUnbox.Web.Api;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Hosting;
using SaeUnbox.Web.Sharing.Postgres;

namespace SaeUnbox.Web.Sharing;

internal static class SharingExtensions
{
    public static void AddSharing(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddAnnotatedOptions<ShareOptions>(configuration, ShareOptions.Section);
        var store = configuration[ShareOptions.StoreKey] is { Length: > 0 } given ? given : nameof(ShareStoreKind.Sqlite);
        var isKnown = Enum.TryParse<ShareStoreKind>(store, ignoreCase: true, out var kind) && Enum.IsDefined(kind);
        services.AddOptions<ShareOptions>().Configure(options => options.Store = kind)
            .Validate(_ => isKnown, $"{ShareOptions.StoreKey} is '{store}'; use Sqlite or Postgres.");
        if (kind == ShareStoreKind.Postgres)
        {
            services.AddDbContextFactory<PostgresShareContext>((provider, options) => options.UseNpgsql(Options(provider).Connection));
            services.AddSingleton<IDbContextFactory<ShareContext>, PostgresShareContexts>();
        }
        else
            services.AddDbContextFactory<ShareContext>((provider, options) =>
                options.UseSqlite(new SqliteConnectionStringBuilder { DataSource = Options(provider).File }.ConnectionString));
        services.AddSingleton<ShareDatabase>();
        services.AddSingleton<ShareRoom>();
        services.AddSingleton<IShareStore, ShareStore>();
        services.AddSingleton<ShareHealth>();
        services.AddHostedService(provider => provider.GetRequiredService<ShareHealth>());
    }

    /// <summary>/s/ID opens a recipe in the studio. Its page has a preview for programs that show link previews.</summary>
    public static void MapSharing(this WebApplication app)
    {
        app.Services.GetRequiredService<ShareDatabase>().Prepare();
        // Chats sometimes encode the # of a link.
        app.MapGet("/{link:regex(^#r(=|%3D))}", (string link, HttpRequest request) => TypedResults.Redirect($"{request.PathBase}/{link}"))
            .WithOrder(int.MaxValue).ExcludeFromDescription();
        app.MapGet("/s/{id}", PageAsync).AddEndpointFilter(ApiProblems.Filter).ExcludeFromDescription();
        app.MapGet("/s/{id}/card.jpg", PictureAsync).AddEndpointFilter(ApiProblems.Filter).ExcludeFromDescription();
    }

    private static ShareOptions Options(IServiceProvider services) => services.GetRequiredService<IOptions<ShareOptions>>().Value;

    private static async Task<IResult> PageAsync(
        string id, IShareStore shares, ClientLimits limits, HttpRequest request, CancellationToken cancellation)
    {
        limits.AdmitReading(ClientKey.Of(request.HttpContext));
        id = ShareId.Find(id);
        if (await shares.FindAsync(id, cancellation) is not { } recipe)
            return TypedResults.NotFound();
        var site = OwnHost.SiteOf(request);
        var title = WebUtility.HtmlEncode(recipe.Prompt.Length > 0 ? recipe.Prompt : "A picture");
        var text = recipe.Edits.Count switch
        {
            0 => "Made with SaeUnbox.",
            1 => "Made with one painted feature in SaeUnbox.",
            var count => $"Made with {count} painted features in SaeUnbox.",
        };
        return TypedResults.Content($"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
                <meta charset="utf-8">
                <title>{title} · SaeUnbox</title>
                <meta name="description" content="{text}">
                <meta property="og:type" content="website">
                <meta property="og:title" content="{title}">
                <meta property="og:description" content="{text}">
                <meta property="og:url" content="{site}/s/{id}">
                <meta property="og:image" content="{site}/s/{id}/card.jpg">
                <meta property="og:image:width" content="{recipe.Width}">
                <meta property="og:image:height" content="{recipe.Height}">
                <meta name="twitter:card" content="summary_large_image">
                <meta http-equiv="refresh" content="0; url={request.PathBase}/#r={recipe.ToLink()}">
            </head>
            <body><a href="{request.PathBase}/#r={recipe.ToLink()}">Open the picture in the studio</a></body>
            </html>
            """, "text/html; charset=utf-8");
    }

    private static async Task<IResult> PictureAsync(
        string id, IShareStore shares, ClientLimits limits, JobClient jobs, HttpContext context, CancellationToken cancellation)
    {
        limits.AdmitReading(ClientKey.Of(context));
        id = ShareId.Find(id);
        if (await shares.FindPictureAsync(id, cancellation) is { } stored)
            return TypedResults.Bytes(stored, "image/jpeg");
        if (await shares.FindAsync(id, cancellation) is not { } recipe)
            return TypedResults.NotFound();
        var job = new GenerationJob(Guid.NewGuid(), recipe.Check()) { Picture = PictureFormat.Jpeg };
        var result = await jobs.RunAsync(job, ClientKey.Of(context), cancellation);
        var picture = result.Picture.ToArray();
        await shares.SavePictureAsync(id, picture, cancellation);
        return TypedResults.Bytes(picture, "image/jpeg");
    }
}
