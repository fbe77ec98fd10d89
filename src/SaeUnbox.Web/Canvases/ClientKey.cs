namespace SaeUnbox.Web.Canvases;

/// <summary>Whom limits count for: the address a request comes from, as a trusted proxy tells it.</summary>
internal static class ClientKey
{
    public static string Of(HttpContext? context) => context?.Connection.RemoteIpAddress?.ToString() ?? "local";
}
