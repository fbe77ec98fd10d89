using Bunit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Tests.Components;

public sealed class PromptBarTests : BunitContext
{
    private static readonly Recipe House = new() { Model = "mini", Prompt = "a house", Seed = 7 };
    private readonly HandClock _clock = new();
    private readonly List<string> _generated = [];
    private readonly List<Recipe> _settings = [];

    private readonly List<string> _problems = [];
    private readonly CanvasOptions _limits = new();

    public PromptBarTests() => Services.AddSingleton<TimeProvider>(_clock).AddSingleton(Options.Create(_limits));

    [Fact]
    public void Busy_ForASecond_OffersToStop()
    {
        var stopped = 0;
        var bar = Bar(House);
        bar.Render(one => one.Add(bar => bar.IsBusy, true).Add(bar => bar.OnStop, () => stopped++));
        Assert.DoesNotContain("Stop", bar.Markup);

        _clock.Advance(TimeSpan.FromSeconds(1.1));
        bar.WaitForAssertion(() => Assert.Contains("Stop", bar.Markup));
        bar.FindAll("button").Single(button => button.TextContent == "Stop").Click();
        Assert.Equal(1, stopped);

        bar.Render(one => one.Add(bar => bar.IsBusy, false));
        Assert.DoesNotContain("Stop", bar.Markup);
    }

    [Fact]
    public void Submit_PromptWritten_IsGenerated()
    {
        var bar = Bar(House);
        bar.Find("#prompt").Input("a boat");
        bar.Find("form").Submit();

        Assert.Equal(["a boat"], _generated);
    }

    [Fact]
    public void Example_Chosen_SetsOnlyPromptAndSeed()
    {
        var boat = new Recipe { Model = "mini", Prompt = "a boat", Seed = 99, Width = 64 };
        var bar = Bar(House);
        Assert.Empty(bar.FindAll("select"));
        bar.Render(one => one.Add(bar => bar.Examples, [House, boat]).Add(bar => bar.IsReady, true));

        bar.Find("select").Change("1");

        Assert.Equal([House with { Prompt = "a boat", Seed = 99 }], _settings);
    }

    [Fact]
    public void Prompt_BeingWritten_StaysUntilTheRecipeChangesIt()
    {
        var bar = Bar(House);
        bar.Find("#prompt").Input("a boat");
        bar.Render(one => one.Add(bar => bar.Recipe, House with { Seed = 8 }));
        Assert.Equal("a boat", bar.Find("#prompt").GetAttribute("value"));

        bar.Render(one => one.Add(bar => bar.Recipe, House with { Prompt = "a cat" }));
        Assert.Equal("a cat", bar.Find("#prompt").GetAttribute("value"));
    }

    [Theory]
    [InlineData("12", 12L)]
    [InlineData("-3", null)]
    [InlineData("a number", null)]
    [InlineData("99999999999999999999", null)]
    public void Seed_Typed_IsUsedIfValid(string written, long? seed)
    {
        Bar(House).Find("#seed").Change(written);

        Assert.Equal(seed is null ? [] : [House with { Seed = seed.Value }], _settings);
        Assert.Equal(seed is null ? ["A seed is a whole number from 0 to 9223372036854775807; it stays 7."] : [], _problems);
    }

    [Fact]
    public void Steps_OfAModelOfManySteps_StayWithinBounds()
    {
        Assert.Empty(Bar(House).FindAll(".mini"));
        _limits.Steps = 60;
        Bar(House with { Steps = 25, Guidance = 5 }).Find(".mini input").Change("5000");

        Assert.Equal(60, Assert.Single(_settings).Steps);
        Assert.Equal("Steps can be 1 to 60.", Assert.Single(_problems));
    }

    [Theory]
    [InlineData("4.5", null)]
    [InlineData("4,0", null)]
    [InlineData("4.0", 4)]
    public void Steps_Field_IsAWholeNumber(string text, int? steps)
    {
        _limits.Steps = 60;
        Bar(House with { Steps = 25, Guidance = 5 }).Find(".mini input").Change(text);

        Assert.Equal(steps, _settings.SingleOrDefault()?.Steps);
        Assert.Equal(steps is null ? 1 : 0, _problems.Count);
    }

    [Fact]
    public void Prompt_Field_AllowsTheLimit()
    {
        _limits.PromptLength = 77;

        Assert.Equal("77", Bar(House).Find("#prompt").GetAttribute("maxlength"));
    }

    [Fact]
    public void Generate_NothingReady_IsDisabled() =>
        Assert.True(Bar(House, isReady: false).Find("[type=submit]").HasAttribute("disabled"));

    private IRenderedComponent<PromptBar> Bar(Recipe recipe, bool isReady = true) => Render<PromptBar>(bar => bar
        .Add(one => one.Recipe, recipe)
            .Add(one => one.IsReady, isReady)
            .Add(one => one.OnGenerate, _generated.Add)
            .Add(one => one.OnSettings, _settings.Add)
            .Add(one => one.OnProblem, _problems.Add));
}
