using Bunit;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Tests.Components;

/// <summary>Sets up components that search features, as one visitor with limits.</summary>
public abstract class SearchContext : BunitContext
{
    protected SearchContext()
    {
        JSInterop.Mode = JSRuntimeMode.Loose;
        Services.AddSingleton<IHttpContextAccessor>(new HttpContextAccessor());
        Services.AddSingleton(_ => new ClientLimits(Options.Create(Limits)));
        Services.AddScoped<Visitor>();
    }

    private protected CanvasOptions Limits { get; } = new();

    // Finds and uses the element in one call, because the component may be redrawn at any time.
    protected static Task SearchAsync<T>(IRenderedComponent<T> component, string text)
        where T : IComponent => component.InvokeAsync(() => component.Find("input[type=search]").Input(text));
}
