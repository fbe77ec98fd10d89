using Bunit;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.DependencyInjection;
using SaeUnbox.Web.Components.Layout;

namespace SaeUnbox.Web.Tests.Components;

public sealed class MainLayoutTests : BunitContext
{
    private readonly Loading _serving = new();

    public MainLayoutTests()
    {
        Services.AddSingleton<IServingState>(_serving);
        Services.AddSingleton<IModelCatalogue>(_serving);
        SetRendererInfo(new RendererInfo("Server", isInteractive: true));
    }

    [Fact]
    public void Status_OnceTheModelIsLoaded_NamesItAndItsFormat()
    {
        var layout = Render<MainLayout>();
        Assert.Equal("loading", layout.Find(".model").GetAttribute("data-state"));

        _serving.End(failure: null);

        layout.WaitForAssertion(() => Assert.Equal(("ready", "Small model · int8"),
            (layout.Find(".model").GetAttribute("data-state"), layout.Find(".model").TextContent.Trim())));
    }

    [Fact]
    public void Status_ModelUnusable_SaysSo()
    {
        var layout = Render<MainLayout>();
        _serving.End("no weights");

        layout.WaitForAssertion(() => Assert.Equal("failed", layout.Find(".model").GetAttribute("data-state")));
    }

    [Fact]
    public void Page_Failing_LeavesTheRestAndCanBeRetried()
    {
        _serving.End(failure: null);
        var isBroken = true;
        var layout = Render<MainLayout>(one => one.Add(layout => layout.Body,
            builder => builder.AddContent(0, isBroken ? throw new InvalidOperationException("broken") : "whole")));
        Assert.Contains("Something went wrong", layout.Find("h1").TextContent);
        Assert.NotEmpty(layout.FindAll("nav a"));

        isBroken = false;
        layout.Find("main button").Click();

        Assert.Contains("whole", layout.Find("main").TextContent);
    }

    private sealed class Loading : IServingState, IModelCatalogue
    {
        private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsReady { get; private set; }

        public bool IsStopping => false;

        public string? Failure { get; private set; }

        public Task Loaded => _loaded.Task;

        public IReadOnlyList<ModelInfo> Models => [new("mini", "Small model", 1, 0, 256, 256, []) { Dtype = Dtype.Int8 }];

        public IFeatureAtlas? AtlasOf(string model) => null;

        public void End(string? failure)
        {
            (IsReady, Failure) = (failure is null, failure);
            _loaded.SetResult();
        }
    }
}
