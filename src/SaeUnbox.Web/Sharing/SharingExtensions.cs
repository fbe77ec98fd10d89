using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using SaeUnbox.Web.Api;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Components.Pages.Shared;
using SaeUnbox.Web.Hosting;

namespace SaeUnbox.Web.Sharing;

internal static class SharingExtensions
{
    private const string JpegType = "image/jpeg";

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

    /// <summary>/s/ID shows a recipe, with a preview card for programs that show link previews.</summary>
    public static void MapSharing(this WebApplication app)
    {
        app.Services.GetRequiredService<ShareDatabase>().Prepare();
        // Chats sometimes encode the # of a link.
        app.MapGet("/{link:regex(^#r(=|%3D))}", (string link, HttpRequest request) => TypedResults.Redirect($"{request.PathBase}/{link}"))
            .WithOrder(int.MaxValue).ExcludeFromDescription();
        app.MapGet("/s/{id}", PageAsync).AddEndpointFilter(ApiProblems.Filter).ExcludeFromDescription();
        app.MapGet("/s/{id}/card.jpg", CardAsync).AddEndpointFilter(ApiProblems.Filter).ExcludeFromDescription();
        app.MapGet("/s/{id}/{which:regex(^(before|after)$)}.jpg", PictureAsync).AddEndpointFilter(ApiProblems.Filter)
            .ExcludeFromDescription();
    }

    private static ShareOptions Options(IServiceProvider services) => services.GetRequiredService<IOptions<ShareOptions>>().Value;

    private static async Task<IResult> PageAsync(
        string id, IShareStore shares, ClientLimits limits, HttpRequest request, CancellationToken cancellation)
    {
        id = ShareId.Find(id);
        return await FindAsync(id, shares, limits, request.HttpContext, cancellation) is { } recipe
            ? new RazorComponentResult<SharedPage>(new { Id = id, Recipe = recipe })
            : TypedResults.NotFound();
    }

    private static async Task<IResult> CardAsync(
        string id, IShareStore shares, ClientLimits limits, MadePictures pictures, HttpContext context, CancellationToken cancellation)
    {
        id = ShareId.Find(id);
        if (await FindAsync(id, shares, limits, context, cancellation) is not { } recipe)
            return TypedResults.NotFound();
        if (await shares.FindPictureAsync(id, cancellation) is { } stored && Picture.Decode(stored).Width == SharedCard.Width)
            return TypedResults.Bytes(stored, JpegType);
        var client = ClientKey.Of(context);
        var before = recipe.IsPainted() ? Picture.Decode(await pictures.FindAsync(recipe.Unpainted(), client)) : null;
        var card = SharedCard.Make(before, Picture.Decode(await pictures.FindAsync(recipe, client)));
        await shares.SavePictureAsync(id, card, cancellation);
        return TypedResults.Bytes(card, JpegType);
    }

    private static async Task<IResult> PictureAsync(
        string id, string which, IShareStore shares, ClientLimits limits, MadePictures pictures, HttpContext context,
        CancellationToken cancellation)
    {
        if (await FindAsync(ShareId.Find(id), shares, limits, context, cancellation) is not { } recipe)
            return TypedResults.NotFound();
        context.Response.Headers.CacheControl = "public, max-age=86400";
        return TypedResults.Bytes(
            await pictures.FindAsync(which == "before" ? recipe.Unpainted() : recipe, ClientKey.Of(context)), JpegType);
    }

    private static Task<Recipe?> FindAsync(
        string id, IShareStore shares, ClientLimits limits, HttpContext context, CancellationToken cancellation)
    {
        limits.AdmitReading(ClientKey.Of(context));
        return shares.FindAsync(id, cancellation);
    }

    /// <summary>Whether anything was changed about the picture of the prompt.</summary>
    public static bool IsPainted(this Recipe recipe) => recipe.Edits.Count > 0 || recipe.Interventions.Count > 0;

    /// <summary>The recipe without what was changed about the picture of the prompt.</summary>
    public static Recipe Unpainted(this Recipe recipe) => recipe with { Edits = [], Interventions = [], Overlap = Overlap.Sum };
}

/// <summary>The preview card of a shared recipe: the picture before and after painting, side by side.</summary>
internal static class SharedCard
{
    public const int Width = 1200, Height = 630;
    private const int Gap = 12, Quality = 88;
    private static readonly byte[] Ground = [14, 15, 17];

    /// <param name="before">The picture without edits; null if there are none.</param>
    /// <param name="after">The picture.</param>
    /// <returns>A JPEG.</returns>
    public static byte[] Make(Picture? before, Picture after)
    {
        var pixels = new byte[Width * Height * 3];
        for (var i = 0; i < pixels.Length; i++)
            pixels[i] = Ground[i % 3];
        var room = before is null ? Width : (Width - Gap) / 2;
        if (before is not null)
            Put(pixels, before, 0, room);
        Put(pixels, after, Width - room, room);
        return Jpeg.Encode(new Picture(Width, Height, 3, pixels), Quality);
    }

    // Centres the picture, as large as fits, between left and left + room. Pixels in between are interpolated.
    private static void Put(byte[] pixels, Picture picture, int left, int room)
    {
        var scale = Math.Min((double)room / picture.Width, (double)Height / picture.Height);
        var (width, height) = ((int)(picture.Width * scale), (int)(picture.Height * scale));
        var (x0, y0) = (left + (room - width) / 2, (Height - height) / 2);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                for (var channel = 0; channel < 3; channel++)
                    pixels[((y0 + y) * Width + x0 + x) * 3 + channel] =
                        Sample(picture, (x + .5) / scale - .5, (y + .5) / scale - .5, channel);
    }

    private static byte Sample(Picture picture, double x, double y, int channel)
    {
        var (left, right, across) = Neighbours(x, picture.Width);
        var (top, bottom, down) = Neighbours(y, picture.Height);
        var above = At(left, top) * (1 - across) + At(right, top) * across;
        var below = At(left, bottom) * (1 - across) + At(right, bottom) * across;
        return (byte)Math.Round(above * (1 - down) + below * down);

        double At(int column, int row) => picture.Pixels[(row * picture.Width + column) * picture.Channels + channel];
    }

    private static (int First, int Second, double Share) Neighbours(double place, int count)
    {
        var inside = Math.Clamp(place, 0, count - 1);
        var first = (int)inside;
        return (first, Math.Min(first + 1, count - 1), inside - first);
    }
}
