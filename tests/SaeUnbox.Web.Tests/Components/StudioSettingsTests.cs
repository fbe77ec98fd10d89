using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Tests.Components;

public sealed class StudioSettingsTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("{}")]
    [InlineData("""{"Brush":{"Tool":9}}""")]
    [InlineData("""{"Brush":{"Size":"large"}}""")]
    public void Read_MissingOrInvalid_IsTheDefault(string? kept) => Assert.Equal(StudioSettings.Default, StudioSettings.Read(kept));

    [Fact]
    public void Read_NumbersOutOfBounds_AreClamped()
    {
        var read = StudioSettings.Read("""{"Brush":{"Tool":1,"Size":4000,"Hardness":-3},"IsSeedLocked":false}""");

        Assert.Equal(new StudioSettings(new BrushState(Tool.Eraser, BrushState.MaxSize, 0), IsSeedLocked: false), read);
    }
}
