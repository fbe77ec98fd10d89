using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace SaeUnbox.Web.Tests;

internal static class NetworkAddress
{
    /// <summary>An address of this machine in a network, whose requests are nobody's proxy's; null if it has none.</summary>
    public static IPAddress? Own { get; } = NetworkInterface.GetAllNetworkInterfaces()
        .SelectMany(one => one.GetIPProperties().UnicastAddresses)
        .Select(one => one.Address)
        .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
}
