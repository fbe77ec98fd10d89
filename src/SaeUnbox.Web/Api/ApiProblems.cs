using System.Globalization;
using Microsoft.AspNetCore.Mvc;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Sharing;

namespace SaeUnbox.Web.Api;

/// <summary>Turns what can go wrong into problem+json that names the fields.</summary>
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
            return TypedResults.ValidationProblem(exception.Errors.GroupBy(error => error.Field).ToDictionary(group => group.Key, group => group.Select(error => error.Message).ToArray()),
                detail: exception.Message, title: "The recipe cannot be used.");
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
            return TypedResults.Problem(exception.Message, statusCode: StatusCodes.Status503ServiceUnavailable, title: "Short links cannot be kept or found.");
        }
        catch (JobFailedException exception)
        {
            return TypedResults.Problem(exception.Message, statusCode: StatusCodes.Status503ServiceUnavailable, title: "The picture could not be made.");
        }
    }

    private static IResult TooMany(HttpContext context, string message, TimeSpan retryAfter)
    {
        context.Response.Headers.RetryAfter = Math.Ceiling(Math.Max(1, retryAfter.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        return TypedResults.Problem(message, statusCode: StatusCodes.Status429TooManyRequests, title: "Too many requests.");
    }
}

/// <param name="Id">Its id.</param>
/// <param name="Address">Where it opens in the studio.</param>
public sealed record SavedRecipe(string Id, string Address);

/// <summary>What is active in a picture.</summary>
public sealed record Exploration(IReadOnlyList<SiteReading> Sites);

/// <param name="K">Features per cell.</param>
/// <param name="Indices">rows x columns x k feature numbers, cell by cell from the upper left.</param>
/// <param name="Values">Their activations; 0 where fewer were active.</param>
/// <param name="Top">The strongest over the grid.</param>
/// <param name="ExplainedVariance">Share of what the block added that the features explain.</param>
public sealed record SiteReading(HookSite Site, int Step, int Rows, int Columns, int K, int[] Indices, float[] Values, IReadOnlyList<ActiveFeature> Top, double? ExplainedVariance)
{
    private const int MostTop = 10;

    public static SiteReading Of(SiteActivations map) =>
        new(map.Site, map.Step, map.Rows, map.Columns, map.K, map.Indices.ToArray(), map.Values.ToArray(), map.Top(MostTop), map.ExplainedVariance);
}

/// <param name="Card">The feature.</param>
/// <param name="TopPictures">Pictures in which it is strong, the strongest first.</param>
/// <param name="Similar">Features whose directions lie near its own.</param>
public sealed record FeatureDetails(FeatureCard Card, IReadOnlyList<TopPicture> TopPictures, IReadOnlyList<SimilarFeature> Similar);

/// <summary>Reads no more of a body than a recipe may have.</summary>
internal sealed class LimitedStream(Stream inner, long most) : Stream
{
    private long _read;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => _read; set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await inner.ReadAsync(buffer, cancellationToken);
        return (_read += count) <= most ? count : throw new RecipeException("recipe", $"is larger than {most} bytes");
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Bodies are read asynchronously.");

    public override void Flush() => inner.Flush();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
