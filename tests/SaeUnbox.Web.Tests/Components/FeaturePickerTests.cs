using Bunit;
using SaeUnbox.Web.Components.Pages.Paint;

namespace SaeUnbox.Web.Tests.Components;

public sealed class FeaturePickerTests : SearchContext
{
    private static readonly ListAtlas WithConcepts = new(
        (Site.Composition, 3, "snow field"), (Site.Details, 7, "red flower"), (Site.Style, 700, "snow light"))
    {
        Concepts =
        [
            new("flower", "by hand", [new(Site.Details, [new(7, .2, null)])]),
            new("snow", "by hand",
            [
                new(Site.Composition, [new(3, .3, null), new(9, .1, null)]) { Painting = new(EditMode.Add, 5, 2, .9) },
            ]),
        ],
    };

    private readonly List<FeatureCard> _picked = [];
    private readonly List<string> _concepts = [];

    [Fact]
    public void Search_Word_ListsMatches()
    {
        var picker = Picker();
        picker.Find("input[type=search]").Input("snow");

        picker.WaitForAssertion(() => Assert.Equal(["snow field", "snow light"], Names(picker)));
        Assert.Equal("2 features", picker.Find("[role=status]").TextContent);
    }

    [Fact]
    public void Search_WordOfAConcept_ListsItBeforeTheFeatures()
    {
        var picker = Picker(WithConcepts);
        picker.Find("input[type=search]").Input("sno");

        picker.WaitForAssertion(() => Assert.Equal(["snow", "snow field", "snow light"], Names(picker)));
        Assert.Contains("works in 90 %", picker.Find(".concept .words").TextContent);
        picker.Find(".concept .pick").Click();
        Assert.Equal(["snow"], _concepts);
    }

    [Fact]
    public void Concepts_OfTheAtlas_AreOneClickAway()
    {
        var picker = Picker(WithConcepts);
        Assert.Equal(["flower", "snow"], picker.FindAll(".concepts .chip").Select(chip => chip.TextContent));

        picker.FindAll(".concepts .chip")[1].Click();

        Assert.Equal(["snow"], _concepts);
    }

    [Fact]
    public void Region_Selected_ListsItsConceptsAndFeaturesAndPaintsWithAllOfIt()
    {
        var whole = new Concept("selection", "a region", [new(Site.Details, [new(7, .2, null)])]);
        var picker = Render<FeaturePicker>(one => one.Add(picker => picker.Atlas, WithConcepts)
            .Add(picker => picker.Region, new RegionContents([WithConcepts.Concepts[0]],
                [new(WithConcepts.Find(Site.Details, 7)!, .2)], whole))
            .Add(picker => picker.OnPickConcept, concept => _concepts.Add(concept.Name)));

        Assert.Equal(["flower", "red flower"], Names(picker));
        Assert.Equal("+20 %", picker.Find(".row .value").TextContent);
        picker.FindAll("button").Single(button => button.TextContent == "Paint with all of it").Click();
        Assert.Equal(["selection"], _concepts);
    }

    [Fact]
    public async Task Search_TooOften_SaysWhenToTryAgain()
    {
        (Limits.ReadingBurst, Limits.ReadingsPerSecond) = (1, 1);
        var picker = Picker();
        picker.Find("input[type=search]").Input("snow");
        picker.WaitForAssertion(() => Assert.Equal("2 features", picker.Find("[role=status]").TextContent));

        // One search per second is admitted, however slow the machine is.
        for (var i = 0; i < 1000 && picker.FindAll(".message").Count == 0; i++)
            await SearchAsync(picker, i % 2 == 0 ? "light" : "snow");

        Assert.Contains("try again", picker.Find(".message").TextContent);
        Assert.Contains("snow light", Names(picker));
    }

    [Fact]
    public void Search_NoMatch_SaysWhatToTry()
    {
        var picker = Picker();
        picker.Find("input[type=search]").Input("tractor");

        picker.WaitForAssertion(() => Assert.StartsWith("No feature matches", picker.Find("[role=status]").TextContent));
    }

    [Fact]
    public void Search_FoundByMeaning_SaysSoBesideTheFeature()
    {
        var picker = Picker(new ListAtlas((Site.Style, 1, "white field")) { Finds = (FoundBy.Meaning, null) });
        picker.Find("input[type=search]").Input("white");

        picker.WaitForAssertion(() => Assert.Equal("meaning", picker.Find(".row .words .chip").TextContent));
    }

    [Fact]
    public void Search_OnlyWordsSearchable_SaysWhy()
    {
        var picker = Picker(new ListAtlas((Site.Style, 1, "white field")) { Finds = (FoundBy.Words, "Only words were searched.") });
        picker.Find("input[type=search]").Input("white");

        picker.WaitForAssertion(() => Assert.Equal("Only words were searched.", picker.Find(".message").TextContent));
        Assert.Empty(picker.FindAll(".row .words .chip"));
    }

    [Fact]
    public void Site_Pressed_TogglesItsFeatures()
    {
        var picker = Picker();
        picker.Find(".sites [data-site='up.0.0']").Click();
        picker.WaitForAssertion(() => Assert.Equal(["red flower"], Names(picker)));

        picker.Find(".sites [data-site='up.0.0']").Click();

        picker.WaitForAssertion(() => Assert.Empty(picker.FindAll("[role=status]")));
    }

    [Fact]
    public void Pick_Feature_RaisesAndRemembersIt()
    {
        var picker = Picker(new ActiveCard(ListAtlas.OfThree.Find(Site.Details, 7)!, 1.5));
        picker.Find(".row .pick").Click();

        Assert.Equal("red flower", Assert.Single(_picked).Name);
        picker.WaitForAssertion(() => Assert.Equal(["red flower", "red flower"], Names(picker)));
    }

    [Fact]
    public void Keep_FeatureFarDownTheDictionary_ListsItAmongTheKept()
    {
        JSInterop.Setup<string?>("saeunbox.recall", "favourites").SetResult("up.0.1:700 nonsense mid.0:1");
        var picker = Picker();
        picker.FindAll(".sites button")[^1].Click();
        picker.WaitForAssertion(() => Assert.Equal(["snow light"], Names(picker)));

        picker.Find(".row [aria-pressed='true']").Click();

        Assert.Equal("nonsense mid.0:1", JSInterop.VerifyInvoke("saeunbox.remember").Arguments[1]);
    }

    private IRenderedComponent<FeaturePicker> Picker(params ActiveCard[] active) => Picker(ListAtlas.OfThree, active);

    private IRenderedComponent<FeaturePicker> Picker(ListAtlas atlas, params ActiveCard[] active) =>
        Render<FeaturePicker>(picker => picker
            .Add(one => one.Atlas, atlas)
            .Add(one => one.Active, active)
            .Add(one => one.OnPick, picked => _picked.Add(picked.Card))
            .Add(one => one.OnPickConcept, concept => _concepts.Add(concept.Name)));

    private static IEnumerable<string> Names(IRenderedComponent<FeaturePicker> picker) =>
        picker.FindAll(".row strong").Select(name => name.TextContent);
}
