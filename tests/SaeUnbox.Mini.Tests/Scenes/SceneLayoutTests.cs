using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Tests.Scenes;

public sealed class SceneLayoutTests
{
    [Fact]
    public void Of_NamedThings_AlwaysFillsOneSlotOfTheFrontRow()
    {
        var facts = new SceneFacts { Things = [new(ThingKind.Cat)] };

        for (var seed = 0; seed < 50; seed++)
            Assert.Contains(SceneLayout.Of(facts, Some.Noise(seed)),
                placed => placed.Key == new SceneSlot(3, 1) && placed.Value.Kind == ThingKind.Cat);
    }

    [Fact]
    public void Of_Plural_FillsMoreSlotsThanSingular()
    {
        var one = new SceneFacts { Things = [new(ThingKind.Tree)], SkyThings = [] };
        var (few, many) = (0, 0);
        for (var seed = 0; seed < 200; seed++)
        {
            few += SceneLayout.Of(one, Some.Noise(seed)).Count;
            many += SceneLayout.Of(one with { Plural = true }, Some.Noise(seed)).Count;
        }

        Assert.InRange(few / 200.0, 3.2, 3.9);
        Assert.InRange(many / 200.0, 5.6, 6.2);
    }

    [Fact]
    public void Of_ClearSky_HasNothingInTheSky() =>
        Assert.DoesNotContain(SceneLayout.Of(new SceneFacts { SkyThings = [] }, Some.Noise(4)), placed => placed.Key.IsOfSky);

    [Fact]
    public void Of_NoiseFromLowToHigh_GivesNothingThenThingsInCaptionOrder()
    {
        var facts = new SceneFacts { Things = [new(ThingKind.Cat), new(ThingKind.Boat)], Plural = true };

        Assert.Null(KindAt(facts, -3));
        Assert.Equal(ThingKind.Cat, KindAt(facts, 0));
        Assert.Equal(ThingKind.Boat, KindAt(facts, 3));
    }

    [Fact]
    public void Of_UnnamedColor_IsDecidedByTheSignOfTheNoise()
    {
        var facts = new SceneFacts { Things = [new(ThingKind.House)], Plural = true };

        Assert.Equal(ThingColor.Red, SceneLayout.Of(facts, At(0, 1, -.1f)).Single(p => p.Key == new SceneSlot(2, 2)).Value.Color);
        Assert.Equal(ThingColor.Blue, SceneLayout.Of(facts, At(0, 1, .1f)).Single(p => p.Key == new SceneSlot(2, 2)).Value.Color);
    }

    private static ThingKind? KindAt(SceneFacts facts, float value)
    {
        var found = SceneLayout.Of(facts, At(value, 1, 0)).Where(placed => placed.Key == new SceneSlot(2, 2)).ToArray();
        return found.Length == 0 ? null : found[0].Value.Kind;
    }

    private static NoisePatches At(float kind, int channel, float value)
    {
        var values = new float[NoisePatches.Count];
        values[2 * 4 + 2] = kind;
        if (channel != 0)
            values[channel * 16 + 2 * 4 + 2] = value;
        return new NoisePatches(values);
    }
}
