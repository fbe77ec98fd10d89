using Microsoft.AspNetCore.SignalR;

namespace SaeUnbox.Web.Canvases;

/// <summary>
/// Sends the message of an expected error to whoever called a hub's method, and counts it against the client. SignalR's own log line of
/// such errors is off, because a script could write thousands a second.
/// </summary>
internal sealed partial class HubErrors(ClientLimits limits, ILogger<HubErrors> logger) : IHubFilter
{
    public async ValueTask<object?> InvokeMethodAsync(HubInvocationContext invocationContext,
        Func<HubInvocationContext, ValueTask<object?>> next)
    {
        try
        {
            return await next(invocationContext);
        }
        catch (Exception exception) when (exception is HubException or RecipeException or TooManyRequestsException or QueueFullException)
        {
            Log.Refused(logger, invocationContext.HubMethodName, exception.Message);
            if (!limits.CountRefusal(ClientKey.Of(invocationContext.Context.GetHttpContext())))
                invocationContext.Context.Abort();
            // SignalR sends only the messages of HubExceptions to clients.
            throw exception as HubException ?? new HubException(exception.Message, exception);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            Log.Failed(logger, exception, invocationContext.HubMethodName);
            throw;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Debug, "{Method} was refused: {Reason}")]
        public static partial void Refused(ILogger logger, string method, string reason);

        [LoggerMessage(2, LogLevel.Error, "{Method} failed")]
        public static partial void Failed(ILogger logger, Exception exception, string method);
    }
}
