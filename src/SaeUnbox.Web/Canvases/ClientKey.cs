using System.Net;
using System.Net.Sockets;

namespace SaeUnbox.Web.Canvases;

/// <summary>
/// Whom limits count for: the address a request comes from, as a trusted proxy tells it. Of an IPv6 address the network counts: whoever has
/// one has the 2^64 addresses of its /64.
/// </summary>
internal static class ClientKey
{
    private const int NetworkBytes = 8;

    public static string Of(HttpContext? context) => context?.Connection.RemoteIpAddress is { } address ? Of(address) : "local";

    public static string Of(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
            return address.ToString();
        var bytes = address.GetAddressBytes();
        bytes.AsSpan(NetworkBytes).Clear();
        return $"{new IPAddress(bytes)}/{8 * NetworkBytes}";
    }
}
