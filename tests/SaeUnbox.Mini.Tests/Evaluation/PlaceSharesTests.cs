using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Scenes;
using TorchSharp;

namespace SaeUnbox.Mini.Tests.Evaluation;

public sealed class PlaceSharesTests
{
    private static readonly SceneSlot Slot = new(3, 1);

    [Theory]
    [InlineData(SceneTime.Day)]
    [InlineData(SceneTime.Night)]
    public void Greatest_DrawnScene_IsAlmostAllEverywhere(SceneTime time)
    {
        var scene = Scene(time);

        var shares = new PlaceShares(scene.Noise).Greatest(Shrunk(scene));

        Assert.Equal(SceneSlot.All.Count(), shares.Count);
        Assert.All(shares, share => Assert.True(share is { IsSharp: true, Share: <= 1.0001 }, $"{share}"));
        var placed = SceneLayout.Of(scene.Facts, scene.Noise).ToDictionary(one => one.Key, one => Names.Of(one.Value.Kind));
        Assert.All(SceneSlot.All.Except([Slot]),
            slot => Assert.Equal(placed.GetValueOrDefault(slot, SceneQuestions.Nothing), shares[slot.Index].Name));
    }

    [Fact]
    public void Greatest_MeanOfTwoDrawings_IsHalfWhereTheyDiffer()
    {
        var scene = Scene(SceneTime.Day);
        var things = SceneQuestions.Things(scene, Slot);
        var (one, other) = (Shrunk(Of("snowman")), Shrunk(Of("pine")));

        var shares = new PlaceShares(scene.Noise).Greatest([.. one.Zip(other, (a, b) => (byte)((a + b) / 2))]);

        Assert.All(shares.Zip(SceneSlot.All),
            place => Assert.True(place.Second == Slot ? place.First.Share < .7 : place.First.IsSharp, $"{place}"));

        Scene Of(string name) => things.First(answer => answer.Name == name).Scene;
    }

    [Fact]
    public void Weights_MixtureAndTooMuch_AreFoundAndStayAMean()
    {
        float[][] vectors = [[0, 0, 0, 0], [1, 0, 2, 0], [0, 3, 1, 0]];

        var mixed = ConvexFit.Weights(vectors, i => .5f * vectors[1][i] + .2f * vectors[2][i]);
        var tooMuch = ConvexFit.Weights(vectors, i => 4 * vectors[2][i]);

        Assert.All(mixed.Zip([.3, .5, .2]), pair => Assert.Equal(pair.Second, pair.First, 3));
        Assert.All(tooMuch.Zip([0.0, 0, 1]), pair => Assert.Equal(pair.Second, pair.First, 3));
    }

    [Fact]
    public void Strangers_Prompts_AreTwoHundredDifferentOnes() =>
        Assert.Equal(200, SharpnessEvaluation.Strangers.Distinct().Count(prompt => prompt.Trim() == prompt));

    private static Scene Scene(SceneTime time) => CaptionedScene.Draw(new Random(3), new SceneMix()).Scene with
    {
        Facts = new SceneFacts { Time = time, Things = [new(ThingKind.House)], Plural = true },
    };

    private static byte[] Shrunk(Scene scene)
    {
        using var scope = torch.NewDisposeScope();
        return PictureBytes.ForProbe(PictureBytes.ToTensor([SceneRenderer.Render(scene)], torch.CPU))[0];
    }
}
