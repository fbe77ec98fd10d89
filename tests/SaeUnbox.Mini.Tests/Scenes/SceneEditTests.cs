using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Tests.Scenes;

public sealed class SceneEditTests
{
    [Fact]
    public void Truth_ThingEdit_ShowsTheThingInTheCellsOfTheStroke()
    {
        var cells = CellMask.Box(10, 5, 4, 4);
        var thing = ThingBounds.Fit(ThingKind.Snowman, ThingColor.Red, 5 / 16f, 10 / 16f, 9 / 16f, 14 / 16f);
        var edit = new ThingEdit(cells, thing);

        var labels = SceneLabels.Of(SceneRenderer.Render(edit.Truth(new Scene(new SceneFacts { Things = [] }, Some.Noise(1))).Inside));

        var shown = labels.AsSpan(SceneLabels.Of(ThingKind.Snowman) * 256, 256).ToArray();
        Assert.InRange(shown.Sum(cell => cell), 6, 16);
        for (var cell = 0; cell < 256; cell++)
            Assert.True(shown[cell] == 0 || cells.Cells[cell]);
        Assert.Equal([SceneLabels.Of(ThingKind.Snowman)], edit.Labels);
    }

    [Fact]
    public void Truth_BackdropEdit_ChangesOnlyTheStroke()
    {
        var scene = Some.Scene(2);
        var edit = new BackdropEdit(CellMask.Ellipse(12, 8, 3, 4), scene.Facts with { Ground = SceneGround.Sea },
            SceneLabels.Of(SceneGround.Sea));

        var (inside, outside) = edit.Truth(scene);

        Assert.Equal(scene, outside);
        Assert.Equal(SceneGround.Sea, inside.Facts.Ground);
        Assert.Equal(scene.Noise, inside.Noise);
    }

    [Fact]
    public void Box_PartlyOffTheGrid_KeepsTheCellsInside() => Assert.Equal(2 * 3, CellMask.Box(-2, 13, 4, 8).Cells.Count(true));
}
