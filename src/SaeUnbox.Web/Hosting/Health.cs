using Microsoft.AspNetCore.Http.HttpResults;
using SaeUnbox.Contracts;

namespace SaeUnbox.Web.Hosting;

internal static class Health
{
    /// <summary>/healthz: the process answers. /readyz: its models are loaded, and it is not about to stop.</summary>
    public static void MapHealth(this WebApplication app)
    {
        app.MapGet("/healthz", () => TypedResults.Text("alive\n")).ExcludeFromDescription();
        app.MapGet("/readyz", ContentHttpResult (IServingState state) => state.IsReady
            ? TypedResults.Text("ready\n")
            : TypedResults.Text(state.Failure ?? (state.IsStopping ? "stopping\n" : "loading\n"), statusCode: StatusCodes.Status503ServiceUnavailable)).ExcludeFromDescription();
    }
}
