using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Sharing;

namespace SaeUnbox.Web.Api;

/// <summary>Keys for programs: the section "SaeUnbox:Api".</summary>
internal sealed class ApiOptions : IValidatableObject
{
    public const string Section = "SaeUnbox:Api";

    public IList<ApiKey> Keys { get; } = [];

    /// <summary>The key of a client as <see cref="ApiKeys"/> names it; null for other clients.</summary>
    public ApiKey? KeyOf(string client) => client.StartsWith(ApiKeys.Prefix, StringComparison.Ordinal)
        ? Keys.FirstOrDefault(key => key.Name == client[ApiKeys.Prefix.Length..])
        : null;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (i, key) in Keys.Index())
        {
            if (key.Name.Length == 0)
                yield return new("is empty; give the key a name", [$"Keys:{i}:Name"]);
            if (key.Sha256.Length != 64 || !key.Sha256.All(char.IsAsciiHexDigit))
                yield return new("is not the SHA-256 of a key; printf %s KEY | sha256sum prints it", [$"Keys:{i}:Sha256"]);
            if (key.RequestsPerSecond < 1 || key.Burst < 1)
                yield return new("must be 1 or more", [$"Keys:{i}:RequestsPerSecond", "Burst"]);
        }
    }
}

/// <summary>A key, which has limits of its own instead of those of the caller's address. Only its hash is kept.</summary>
internal sealed class ApiKey
{
    public string Name { get; set; } = "";

    /// <summary>SHA-256 of the key, 64 hexadecimal digits.</summary>
    public string Sha256 { get; set; } = "";

    public int RequestsPerSecond { get; set; } = 40;

    public int Burst { get; set; } = 120;
}

/// <summary>Finds the key in a request's header "Authorization: Bearer KEY".</summary>
internal static class ApiKeys
{
    public const string Item = "saeunbox.client", Prefix = "key ";
    private const string Scheme = "Bearer ";

    public static async ValueTask<object?> Filter(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var options = http.RequestServices.GetRequiredService<IOptions<ApiOptions>>().Value;
        var given = http.Request.Headers.Authorization is [{ } header] && header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? header[Scheme.Length..].Trim()
            : null;
        var key = given is null ? null : Find(options, given);
        if (given is null)
            return await next(context);
        if (key is null)
        {
            http.Response.Headers.WWWAuthenticate = "Bearer";
            return TypedResults.Problem("This server does not know the key in the header Authorization.",
                statusCode: StatusCodes.Status401Unauthorized, title: "No valid key.");
        }
        http.Items[Item] = Prefix + key.Name;
        return await next(context);
    }

    private static ApiKey? Find(ApiOptions options, string given)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(given));
        return options.Keys.FirstOrDefault(key => CryptographicOperations.FixedTimeEquals(Convert.FromHexString(key.Sha256), hash));
    }
}

/// <summary>Turns exceptions into problem+json responses.</summary>
internal static class ApiProblems
{
    public static async ValueTask<object?> Filter(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            return await next(context);
        }
        catch (RecipeException exception)
        {
            var errors = exception.Errors.GroupBy(error => error.Field)
                .ToDictionary(group => group.Key, group => group.Select(error => error.Message).ToArray());
            return TypedResults.ValidationProblem(errors, detail: exception.Message, title: "The recipe cannot be used.");
        }
        catch (QueueStoppingException exception)
        {
            return Unavailable(exception.Message, "The server is stopping.");
        }
        catch (QueueFullException exception)
        {
            return TooMany(context.HttpContext, exception.Message, exception.RetryAfter);
        }
        catch (TooManyRequestsException exception)
        {
            return TooMany(context.HttpContext, exception.Message, exception.RetryAfter);
        }
        catch (ShareStoreException exception)
        {
            return Unavailable(exception.Message, "Short links are not available.");
        }
        catch (JobFailedException exception)
        {
            return Unavailable(exception.Message, "The picture could not be made.");
        }
    }

    private static IResult Unavailable(string message, string title) =>
        TypedResults.Problem(message, statusCode: StatusCodes.Status503ServiceUnavailable, title: title);

    private static IResult TooMany(HttpContext context, string message, TimeSpan retryAfter)
    {
        context.Response.Headers.RetryAfter = Math.Ceiling(Math.Max(1, retryAfter.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        return TypedResults.Problem(message, statusCode: StatusCodes.Status429TooManyRequests, title: "Too many requests.");
    }
}
