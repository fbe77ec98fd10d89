using Bunit;
using SaeUnbox.Web.Components.Pages.Paint;

namespace SaeUnbox.Web.Tests.Components;

public sealed class LayerStackTests : BunitContext
{
    private static readonly FeatureEdit[] Two = [new(Site.Composition, 3, 10), new(Site.Style, 700, -5) { Enabled = false }];
    private readonly List<(int Index, FeatureEdit Edit, bool IsPassing)> _changes = [];
    private readonly List<(int From, int To)> _moves = [];
    private readonly List<Overlap> _overlaps = [];
    private readonly List<string> _problems = [];

    [Fact]
    public void Render_NoEdits_SaysHowToBegin() => Assert.Contains("Choose a feature", Stack([]).Find(".empty").TextContent);

    [Fact]
    public void Render_Edits_NamesThemAndMarksDisabledOnes()
    {
        var layers = Stack(Two).FindAll(".layer");

        Assert.Equal(["snow light", "snow field"], layers.Select(layer => layer.QuerySelector("strong")!.TextContent));
        Assert.Equal(["true", null], layers.Select(layer => layer.GetAttribute("data-off")));
        Assert.Equal(["up.0.1", "down.2.1"], layers.Select(layer => layer.GetAttribute("data-site")));
    }

    [Fact]
    public void Render_SeveralFeatures_ListsThemWithTheirWeights()
    {
        var layers = Stack([Two[0] with { Also = [99999], Weights = [1, -.25] }, Two[1]]);

        Assert.Equal("#3 snow field\n#99999 × -0.25", layers.Find("[data-layer='0'] .mono.quiet").GetAttribute("title"));
        Assert.Null(layers.Find("[data-layer='1'] .mono.quiet").GetAttribute("title"));
    }

    [Fact]
    public void Mode_OfEveryLayer_IsOnItsTag() =>
        Assert.Equal(["add", "scale"], Stack([Two[0], Two[1] with { Mode = EditMode.Scale }]).FindAll(".pick .mode-tag")
            .Select(tag => tag.TextContent).Order());

    [Fact]
    public void Strength_WhileSliding_IsTemporary()
    {
        var slider = Stack(Two).Find("[data-layer='0'] input[type=range]");
        slider.Input("12.5");
        slider.Change("13");

        Assert.Equal([(12.5, true), (13.0, false)], _changes.Select(change => (change.Edit.Strength, change.IsPassing)));
    }

    [Theory]
    [InlineData("99", 40d)]
    [InlineData("-1000", -40d)]
    [InlineData("much", null)]
    [InlineData("", null)]
    public void Strength_OutOfBounds_IsClampedAndSaysWhy(string written, double? strength)
    {
        Stack(Two).Find("input[type=number]").Change(written);

        Assert.Equal(strength is { } number ? [number] : [], _changes.Select(change => change.Edit.Strength));
        Assert.Equal("A strength is a number from -40 to 40.", Assert.Single(_problems));
    }

    [Fact]
    public void Eye_Clicked_SwitchesThatLayer()
    {
        Stack(Two).Find("[data-layer='1'] .corner").Click();

        Assert.Equal((1, Two[1] with { Enabled = true }, false), Assert.Single(_changes));
    }

    [Fact]
    public void Mode_Chosen_ChangesTheSelectedLayer()
    {
        Stack(Two, selected: 1).Find("select").Change("scale");

        Assert.Equal((1, EditMode.Scale, -1), (_changes[0].Index, _changes[0].Edit.Mode, _changes[0].Edit.Strength));
    }

    [Theory]
    [InlineData("  first snow ", "first snow")]
    [InlineData(" ", null)]
    public void Rename_OfTheSelectedLayer_NamesItOrGivesItsOwnNameBack(string written, string? name)
    {
        var stack = Stack([Two[0] with { Name = "old" }]);
        stack.Find("[aria-label='Rename']").Click();
        stack.Find("[aria-label='New name of old']").Change(written);

        Assert.Equal(name, Assert.Single(_changes).Edit.Name);
        Assert.Empty(stack.FindAll(".rename"));
    }

    [Fact]
    public void Rename_Escaped_ChangesNothing()
    {
        var stack = Stack(Two);
        stack.Find("[data-layer='0'] .pick").DoubleClick();
        stack.Find(".rename").KeyDown("Escape");

        Assert.Empty(stack.FindAll(".rename"));
        Assert.Empty(_changes);
    }

    [Fact]
    public void Blend_OfOneLayer_IsNotOffered()
    {
        Assert.Empty(Stack([Two[0]]).FindAll(".head button"));
        var blend = Stack(Two).Find(".head button");
        Assert.Equal("true", blend.GetAttribute("aria-pressed"));
        blend.Click();

        Assert.Equal([Overlap.Cover], _overlaps);
    }

    [Fact]
    public void Steps_OfAModelOfOneStep_AreNotShown()
    {
        Assert.DoesNotContain("from step", Stack(Two).Markup);
        var steps = Stack(Two, steps: 4);
        steps.FindAll("input[type=number]").Single(input => input.GetAttribute("max") == "3").Change("2");

        Assert.Equal(2, Assert.Single(_changes).Edit.FirstStep);
    }

    [Fact]
    public void Move_AtTheEnds_IsNotOffered()
    {
        var first = Stack(Two);
        Assert.True(first.Find("[aria-label='Move down']").HasAttribute("disabled"));
        first.Find("[aria-label='Move up']").Click();

        Assert.Equal([(0, 1)], _moves);
    }

    [Fact]
    public void Drag_OntoAnotherLayer_MovesIt()
    {
        var stack = Stack(Two);
        stack.Find("[data-layer='1']").DragStart();
        stack.Find("[data-layer='0']").Drop();

        Assert.Equal([(1, 0)], _moves);
    }

    private IRenderedComponent<LayerStack> Stack(FeatureEdit[] edits, int selected = 0, int steps = 1) => Render<LayerStack>(stack => stack
        .Add(one =>
            one.Edits, edits).Add(one => one.Atlas, ListAtlas.OfThree).Add(one => one.Selected, selected).Add(one => one.Steps, steps)
        .Add(one => one.OnChange, _changes.Add).Add(one => one.OnMove, _moves.Add).Add(one => one.OnProblem, _problems.Add)
        .Add(one => one.OnOverlap, _overlaps.Add));
}
