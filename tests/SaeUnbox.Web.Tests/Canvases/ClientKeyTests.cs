using System.Net;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Tests.Canvases;

public sealed class ClientKeyTests
{
    [Theory]
    [InlineData("203.0.113.7", "203.0.113.7")]
    [InlineData("::ffff:203.0.113.7", "203.0.113.7")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
    [InlineData("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64")]
    [InlineData("2001:db8:1:3::1", "2001:db8:1:3::/64")]
    public void Of_AnAddress_IsTheAddressOrItsNetwork(string address, string key) =>
        Assert.Equal(key, ClientKey.Of(IPAddress.Parse(address)));
}
