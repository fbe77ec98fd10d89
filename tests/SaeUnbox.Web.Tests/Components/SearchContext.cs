using Bunit;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Tests.Components;

/// <summary>For components that search the features, as one visitor under limits.</summary>
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

    // Found and used in one go: an answer may draw the component anew in between.
    protected static Task SearchAsync<T>(IRenderedComponent<T> component, string text)
        where T : IComponent => component.InvokeAsync(() => component.Find("input[type=search]").Input(text));
}
