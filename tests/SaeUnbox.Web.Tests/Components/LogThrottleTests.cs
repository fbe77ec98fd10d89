using SaeUnbox.Web.Hosting;
using Serilog.Events;
using Serilog.Parsing;

namespace SaeUnbox.Web.Tests.Components;

public sealed class LogThrottleTests
{
    [Fact]
    public void IsEnabled_ManyErrorsOfAKind_KeepsSomeAMinute()
    {
        var clock = new Clock();
        var throttle = new LogThrottle(clock);

        Assert.Equal(LogThrottle.MostPerMinute, Enumerable.Range(0, 1000).Count(_ => throttle.IsEnabled(Line("a", LogEventLevel.Error))));
        Assert.True(throttle.IsEnabled(Line("b", LogEventLevel.Error)));
        Assert.True(throttle.IsEnabled(Line("a", LogEventLevel.Information)));
        clock.Passed = TimeSpan.FromMinutes(1);
        Assert.True(throttle.IsEnabled(Line("a", LogEventLevel.Error)));
    }

    private static LogEvent Line(string kind, LogEventLevel level) =>
        new(DateTimeOffset.UnixEpoch, level, null, new MessageTemplateParser().Parse(kind), []);

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Passed { get; set; }

        public override long GetTimestamp() => Passed.Ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    }
}
