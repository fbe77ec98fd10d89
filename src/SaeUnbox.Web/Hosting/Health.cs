using Microsoft.AspNetCore.Http.HttpResults;

namespace SaeUnbox.Web.Hosting;

internal static class Health
{
    /// <summary>
    /// /healthz fails if only a restart can help. /readyz succeeds if the process's models are loaded, it reaches the broker and the store
    /// of shared recipes, and it is not shutting down.
    /// </summary>
    public static void MapHealth(this WebApplication app)
    {
        app.MapGet("/healthz", ContentHttpResult (IServingState state) => state.IsBroken
            ? TypedResults.Text($"{state.Failure}\n", statusCode: StatusCodes.Status503ServiceUnavailable)
            : TypedResults.Text("alive\n")).ExcludeFromDescription();
        app.MapGet("/readyz", ContentHttpResult (Readiness readiness) => readiness.IsReady
            ? TypedResults.Text(readiness.Limitation is { } limitation ? $"ready, but: {limitation}\n" : "ready\n")
            : TypedResults.Text($"{readiness.Reason}\n", statusCode: StatusCodes.Status503ServiceUnavailable)).ExcludeFromDescription();
    }
}
