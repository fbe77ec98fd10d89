using Bunit;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.DependencyInjection;
using SaeUnbox.Web.Components.Pages.Features;

namespace SaeUnbox.Web.Tests.Components;

public sealed class FeaturesTests : SearchContext
{
    public FeaturesTests() => JSInterop.SetupModule("./Components/Pages/Features/Features.razor.js").Mode = JSRuntimeMode.Loose;

    [Fact]
    public async Task Search_TooOften_SaysWhenToTryAgain()
    {
        (Limits.ReadingBurst, Limits.ReadingsPerSecond) = (1, 1);
        var page = Page(ListAtlas.OfThree);
        page.WaitForAssertion(() => Assert.Equal("3 features", page.Find("[role=status]").TextContent));

        // One search per second is admitted, however slow the machine is.
        for (var i = 0; i < 1000 && page.FindAll(".message").Count == 0; i++)
            await SearchAsync(page, i % 2 == 0 ? "snow" : "");

        Assert.Contains("try again", page.Find(".message").TextContent);
        Assert.EndsWith("features", page.Find("[role=status]").TextContent);
    }

    [Fact]
    public async Task Search_OvertakenByANewerOne_IsNotShown()
    {
        using var gate = new ManualResetEventSlim();
        using var passed = new ManualResetEventSlim();
        var page = Page(new ListAtlas((Site.Composition, 3, "snow field"), (Site.Style, 9, "snow light"),
            (Site.Details, 7, "red flower"))
        {
            Searching = query =>
            {
                if (query.Text != "snow")
                    return;
                gate.Wait();
                passed.Set();
            },
        });
        await SearchAsync(page, "snow");
        await SearchAsync(page, "red");
        page.WaitForAssertion(() => Assert.Equal("1 feature", page.Find("[role=status]").TextContent));

        gate.Set();
        passed.Wait();
        await SearchAsync(page, "red flower");

        page.WaitForAssertion(() => Assert.Contains("search=red%20flower",
            (string?)JSInterop.Invocations["saeunbox.replaceAddress"].LastOrDefault().Arguments?[1]));
        Assert.Equal("1 feature", page.Find("[role=status]").TextContent);
    }

    [Fact]
    public void Page_WithoutAModel_IsSentAtOnce()
    {
        var page = Page(atlas: null, isInteractive: false);

        Assert.Contains("No worker is connected yet", page.Markup);
    }

    private IRenderedComponent<Features> Page(IFeatureAtlas? atlas, bool isInteractive = true)
    {
        var serving = new Loaded(atlas);
        Services.AddSingleton<IServingState>(serving).AddSingleton<IModelCatalogue>(serving);
        SetRendererInfo(new RendererInfo(isInteractive ? "Server" : "Static", isInteractive));
        Services.GetRequiredService<NavigationManager>().NavigateTo("features");
        return Render<Features>();
    }

    /// <summary>A model with this atlas. Without an atlas there is no model.</summary>
    private sealed class Loaded(IFeatureAtlas? atlas) : IServingState, IModelCatalogue
    {
        public bool IsReady => atlas is not null;

        public bool IsStopping => false;

        public string? Failure => null;

        public string? Missing => atlas is null ? "No worker is connected yet." : null;

        Task IServingState.Loaded => atlas is null ? new TaskCompletionSource().Task : Task.CompletedTask;

        public IReadOnlyList<ModelInfo> Models => atlas is null ? [] : [new("mini", "Small model", 1, 0, 256, 256, [])];

        public IFeatureAtlas? AtlasOf(string model) => atlas;
    }
}
