using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Tests.Scenes;

public sealed class SceneLabelsTests
{
    private const int Side = CellMask.Side;

    [Fact]
    public void Names_OfEveryLabel_AreDistinctAndInOrder()
    {
        Assert.Equal(SceneLabels.Count, SceneLabels.Names.Distinct().Count());
        Assert.Equal("time:night", SceneLabels.Names[SceneLabels.Of(SceneTime.Night)]);
        Assert.Equal("ground:sea", SceneLabels.Names[SceneLabels.Of(SceneGround.Sea)]);
        Assert.Equal("far:city", SceneLabels.Names[SceneLabels.Of(SceneFar.City)]);
        Assert.Equal("style:sketch", SceneLabels.Names[SceneLabels.Of(SceneStyle.Sketch)!.Value]);
        Assert.Equal("thing:bird", SceneLabels.Names[SceneLabels.Of(ThingKind.Bird)]);
        Assert.Equal("color:purple", SceneLabels.Names[SceneLabels.Of(ThingColor.Purple)]);
        Assert.Null(SceneLabels.Of(SceneStyle.Plain));
    }

    [Fact]
    public void Of_EachThing_HoldsOnlyWhereRemovingItChangesPixels()
    {
        for (var seed = 0; seed < 12; seed++)
        {
            var scene = Some.Scene(seed) with { Facts = Some.Facts(seed) with { Style = SceneStyle.Plain } };
            var picture = SceneRenderer.Render(scene);
            var bare = SceneRenderer.Render(scene with { Emptied = [.. SceneSlot.All] });
            var labels = SceneLabels.Of(picture);

            for (var cell = 0; cell < Side * Side; cell++)
            {
                var labelled = Enum.GetValues<ThingKind>().Any(kind => labels[SceneLabels.Of(kind) * Side * Side + cell] == 1);
                var changed = ShareChanged(picture, bare, cell);
                if (labelled)
                    Assert.True(changed > .1, $"seed {seed}, cell {cell}: labelled, yet only {changed:p0} of its pixels change.");
                if (changed == 0)
                    Assert.False(labelled);
            }
        }
    }

    [Fact]
    public void Of_Ground_HoldsExactlyBelowTheHorizon()
    {
        var labels = SceneLabels.Of(SceneRenderer.Render(Some.Scene(1) with { Facts = new SceneFacts { Ground = SceneGround.Snow } }));

        for (var cell = 0; cell < Side * Side; cell++)
            Assert.Equal(cell / Side >= 9 ? 1 : 0, labels[SceneLabels.Of(SceneGround.Snow) * Side * Side + cell]);
        Assert.DoesNotContain((byte)1, labels.AsSpan(SceneLabels.Of(SceneGround.Sea) * Side * Side, Side * Side).ToArray());
    }

    [Fact]
    public void Of_NamedThings_AreThereWithTheirColors()
    {
        foreach (var kind in ThingKinds.OfGround)
        {
            var facts = new SceneFacts { Things = [new(kind, kind.TakesColor() ? ThingColor.Purple : null)], SkyThings = [] };
            var labels = SceneLabels.Of(SceneRenderer.Render(new Scene(facts, Some.Noise(7))));
            var thing = labels.AsSpan(SceneLabels.Of(kind) * Side * Side, Side * Side).ToArray();

            Assert.Contains((byte)1, thing);
            if (kind.TakesColor())
                Assert.Equal(thing, labels.AsSpan(SceneLabels.Of(ThingColor.Purple) * Side * Side, Side * Side).ToArray());
        }
    }

    private static double ShareChanged(ScenePicture a, ScenePicture b, int cell)
    {
        var (pixels, changed) = (a.Size / Side, 0);
        for (var y = 0; y < pixels; y++)
            for (var x = 0; x < pixels; x++)
            {
                var index = ((cell / Side * pixels + y) * a.Size + cell % Side * pixels + x) * 3;
                changed += a.Rgb.AsSpan(index, 3).SequenceEqual(b.Rgb.AsSpan(index, 3)) ? 0 : 1;
            }
        return changed / (double)(pixels * pixels);
    }
}
