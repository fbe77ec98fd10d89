using Microsoft.AspNetCore.Components.Server.Circuits;

namespace SaeUnbox.Web.Canvases;

/// <summary>Who sits before this circuit, for limits: told by the request that opened it.</summary>
internal sealed class Visitor(IHttpContextAccessor context) : CircuitHandler
{
    public string Key { get; private set; } = ClientKey.Of(context.HttpContext);

    public override Task OnCircuitOpenedAsync(Circuit circuit, CancellationToken cancellationToken)
    {
        Key = ClientKey.Of(context.HttpContext);
        return Task.CompletedTask;
    }
}
