using System.Text.Json;
using FsCheck.Fluent;

namespace SaeUnbox.Core.Tests;

public class ConceptTests
{
    // Four cells, two features each, of a dictionary of five.
    private static SiteActivations Map(params float[] values) =>
        new(Site.Style, 0, 2, 2, 5, [0, 1, 0, 2, 0, 3, 1, 2], values);

    [Fact]
    public void Score_OfPictures_IsTheDifferenceOfSharesOfAllActivation()
    {
        var tally = new ConceptTally(5);
        tally.Add(Map(2, 1, 3, 0, 1, 0, 4, 5), hasConcept: true);
        tally.Add(Map(1, 0, 1, 0, 1, 0, 1, 0), hasConcept: true);
        tally.Add(Map(1, 1, 1, 2, 1, 0, 1, 1), hasConcept: false);

        Assert.Equal((9 / 20.0) - (3 / 8.0), tally.Score(0), 12);
        Assert.Equal((6 / 20.0) - (2 / 8.0), tally.Score(1), 12);
        Assert.Equal((5 / 20.0) - (3 / 8.0), tally.Score(2), 12);
        Assert.Equal([0, 1], tally.Best(5).Select(one => one.Feature));
        Assert.Equal([0], tally.Best(1).Select(one => one.Feature));
        Assert.All(tally.Best(5), one => Assert.Null(one.Auc));
    }

    [Fact]
    public void Add_ARegion_ComparesInsideWithOutside()
    {
        var tally = new ConceptTally(5);
        tally.Add(Map(2, 1, 3, 0, 1, 0, 4, 5), BrushMask.FromCells(1, 2, [1, 0]));

        // The left column has 2 and 1 of feature 0, and 1 of feature 1; the right one 3 of feature 0, 4 of feature 1 and 5 of feature 2.
        Assert.Equal((3 / 4.0) - (3 / 12.0), tally.Score(0), 12);
        Assert.Equal((1 / 4.0) - (4 / 12.0), tally.Score(1), 12);
        Assert.Equal(-5 / 12.0, tally.Score(2), 12);
        Assert.Equal(3 / 6.0, tally.Concentration([0]), 12);
        Assert.Equal(4 / 11.0, tally.Concentration([0, 1]), 12);
        Assert.Equal(0, tally.Concentration([2]), 12);
    }

    [Fact]
    public void Auc_OfWeightedCells_IsTheShareOfPairsInOrder() => Samples.ForAll(
        from values in Gen.ArrayOf(Gen.Choose(0, 3), 12)
        from weights in Gen.ArrayOf(Gen.Elements(0f, 0.25f, 0.5f, 1f), 12)
        select (values, weights),
        one =>
        {
            var tally = new ConceptTally(2);
            float[] values = [.. one.values.Select(value => (float)value)];
            tally.Add(new SiteActivations(Site.Style, 0, 3, 4, 2, new int[12], values), BrushMask.FromCells(3, 4, one.weights));
            double won = 0, all = 0;
            for (var i = 0; i < 12; i++)
                for (var j = 0; j < 12; j++)
                {
                    double pair = one.weights[i] * (1 - one.weights[j]);
                    all += pair;
                    won += pair * (values[i] > values[j] ? 1 : values[i] == values[j] ? 0.5 : 0);
                }
            return all == 0 || one.weights.Sum() == 0 || one.weights.All(weight => weight == 1)
                ? tally.Auc(0) is null || all > 0
                : Math.Abs(tally.Auc(0)!.Value - (won / all)) < 1e-9;
        });

    [Fact]
    public void Auc_OfFeaturesTogether_RanksCellsByTheirSum()
    {
        var tally = new ConceptTally(5);
        // Features 0 and 1 have 3, 2 and 1, 0 in the first picture's cells, and 1, 4 and 1, 4 in the second's.
        tally.Add(Map(2, 1, 2, 9, 1, 9, 0, 9), BrushMask.FromCells(2, 2, [1, 0, 1, 0]));
        tally.Add(Map(1, 0, 4, 9, 1, 9, 4, 9), BrushMask.FromCells(2, 2, [0, 1, 0, 0]));

        // Inside: 3, 1, 4; outside: 2, 0, 1, 1, 4. Of 15 pairs 3 wins 4, 1 wins 1 and ties 2, 4 wins 4 and ties 1.
        Assert.Equal((4 + 1 + 1 + 4 + 0.5) / 15, tally.Auc([0, 1])!.Value, 12);
    }

    [Fact]
    public void Edits_OfAConcept_HoldItsFeaturesAtEachSite()
    {
        var concept = new Concept("a house", "by hand",
        [
            new(Site.Composition, [new(7, 0.5, null), new(3, 0.25, 0.9)]), new(Site.Style, [new(1, 0.1, null)]),
        ]);
        var edit = new FeatureEdit(Site.Middle, 99, 2) { Mode = EditMode.ReplaceMean, Threshold = 1, FirstStep = 1 };

        Assert.Equal(
            [
                edit with { Site = Site.Composition, Feature = 7, Also = [3] },
                edit with { Site = Site.Style, Feature = 1 },
            ],
            concept.Edits(edit));
        Assert.Equal([edit with { Site = Site.Style, Feature = 1 }], concept.Edits(edit, Site.Style));
        Assert.Empty(concept.Edits(edit, Site.Middle));
    }

    [Fact]
    public void ToPaintAndToRemove_Measured_AreTheEditsThatWorkBest()
    {
        var concept = new Concept("house", "measured",
        [
            new(Site.Composition, [new(7, .1, null), new(3, .1, null)]) { Painting = new(EditMode.Add, 7, 2, .9) },
            new(Site.Style, [new(1, .9, null)])
            {
                Painting = new(EditMode.Add, 5, 1, .3),
                Removal = new(EditMode.ReplaceNearest, 1, 1, .8, Grow: 1),
            },
        ]);

        Assert.Equal(new FeatureEdit(Site.Composition, 7, 7) { Also = [3] }, concept.ToPaint(8));
        Assert.Equal(new FeatureEdit(Site.Style, 1, 1) { Mode = EditMode.ReplaceNearest, Grow = 1 }, concept.ToRemove());
    }

    [Fact]
    public void ToPaint_MeasuredWithWeights_HasThem()
    {
        var concept = new Concept("house", "measured",
        [
            new(Site.Composition, [new(7, .1, null)])
            {
                Painting = new(EditMode.Add, 6, 2, .9) { Weighted = [new(9, 1), new(4, .25)] },
            },
        ]);

        var read = JsonSerializer.Deserialize<Concept>(JsonSerializer.Serialize(concept))!;

        Assert.Equal(new FeatureEdit(Site.Composition, 9, 6) { Also = [4], Weights = [1, .25] }, read.ToPaint(8));
    }

    [Fact]
    public void ToPaintAndToRemove_Unmeasured_ActWhereTheFeaturesScoreMost()
    {
        var concept = new Concept("house", "by hand",
            [new(Site.Composition, [new(7, .1, null)]), new(Site.Style, [new(1, .2, null), new(4, .1, null)])]);

        Assert.Equal(new FeatureEdit(Site.Style, 1, 4) { Also = [4] }, concept.ToPaint(8));
        Assert.Equal(new FeatureEdit(Site.Style, 1, 1) { Also = [4], Mode = EditMode.ReplaceNearest }, concept.ToRemove());
    }

    [Fact]
    public void Json_OfConcepts_ReadsBackWithAndWithoutMeasures()
    {
        var measured = new ConceptSite(Site.Style, [new(1, .9, null)]) { Removal = new(EditMode.Scale, -1, 1, .8) };
        var read = JsonSerializer.Deserialize<Concept>(JsonSerializer.Serialize(new Concept("house", "measured", [measured])))!;
        Assert.Equal((measured.Removal, null), (read.Sites[0].Removal, read.Sites[0].Painting));

        const string old = """{"Name":"dog","Source":"a","Sites":[{"Site":"mid.0","Features":[{"Feature":3,"Score":0.5,"Auc":null}]}]}""";
        Assert.Equal(new ConceptFeature(3, .5, null), JsonSerializer.Deserialize<Concept>(old)!.Sites[0].Features[0]);
        Assert.DoesNotContain("Removal", JsonSerializer.Serialize(JsonSerializer.Deserialize<Concept>(old)));
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<EditMode>("\"wave\""));
    }

    [Theory]
    [InlineData("house", true)]
    [InlineData("Baum-Haus 2_x", true)]
    [InlineData("", false)]
    [InlineData(" house", false)]
    [InlineData("a:b", false)]
    [InlineData("a/b", false)]
    [InlineData("a@b", false)]
    public void IsName_OfATextThatAnEditCanHold_IsTrue(string text, bool expected) => Assert.Equal(expected, Concept.IsName(text));

    [Fact]
    public void Scaled_ToAnotherGrid_KeepsTheMeanAndItsPlace()
    {
        var mask = BrushMask.FromCells(2, 2, [1, 0, 0.5f, 0.25f]);

        Assert.Same(mask, mask.Scaled(2, 2));
        Assert.Equal(BrushMask.FromCells(1, 1, [0.4375f]), mask.Scaled(1, 1));
        Assert.Equal(BrushMask.FromCells(4, 2, [1, 0, 1, 0, 0.5f, 0.25f, 0.5f, 0.25f]), mask.Scaled(4, 2));
        Assert.Equal([1, 0.5f, 0], BrushMask.FromCells(1, 2, [1, 0]).Scaled(1, 3).Cells.ToArray());
        Samples.ForAll(Samples.Masks, any => Math.Abs(Mean(any.Scaled(13, 7)) - Mean(any)) < 1e-5);
        static double Mean(BrushMask mask) => mask.Cells.ToArray().Average(cell => (double)cell);
    }
}
