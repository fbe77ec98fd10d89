namespace SaeUnbox.Steering.Tests;

public sealed class EditKindTests
{
    [Fact]
    public void Of_EveryMode_MakesEditsOfThatMode() =>
        Assert.All(EditMode.All, mode => Assert.Same(mode, EditKind.Of(mode).Mode));
}
