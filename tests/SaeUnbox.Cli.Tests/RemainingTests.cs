using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Tests;

public sealed class RemainingTests
{
    [Theory]
    [InlineData(0, "0:00 left")]
    [InlineData(42, "0:42 left")]
    [InlineData(754, "12:34 left")]
    [InlineData(5025, "1:23:45 left")]
    [InlineData(100 * 3600, "100:00:00 left")]
    public void Text_AnyTime_OmitsZeroHours(int seconds, string expected) =>
        Assert.Equal(expected, Remaining.Text(TimeSpan.FromSeconds(seconds)));
}
