using Microsoft.JSInterop;

namespace SaeUnbox.Web.Components;

/// <summary>What components keep in the browser: an object that the script beside the component makes, with a function close.</summary>
internal static class BrowserParts
{
    /// <param name="component">The component's path below Components, such as Pages/Paint/Paint.</param>
    public static ValueTask<IJSObjectReference> ImportAsync(this IJSRuntime script, string component) =>
        script.InvokeAsync<IJSObjectReference>("import", $"./Components/{component}.razor.js");

    /// <inheritdoc cref="ImportAsync"/>
    /// <param name="arguments">Those of the script's function create.</param>
    public static async Task<IJSObjectReference> CreateAsync(this IJSRuntime script, string component, params object?[] arguments)
    {
        await using var module = await script.ImportAsync(component);
        return await module.InvokeAsync<IJSObjectReference>("create", arguments);
    }

    public static async Task CloseAsync(this IJSObjectReference? part)
    {
        try
        {
            if (part is not null)
                await part.InvokeVoidAsync("close");
        }
        catch (JSDisconnectedException)
        {
            // The tab is closed.
        }
    }
}
