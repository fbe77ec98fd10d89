using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Routing;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.JSInterop;

namespace SaeUnbox.Web.Components;

/// <summary>Keeps what a page shows in its address, so that reloading or sharing the address shows the same.</summary>
internal sealed class PageAddress : IDisposable
{
    private readonly NavigationManager _navigation;
    private readonly IJSRuntime _script;
    private readonly string _page;
    private readonly Func<Task> _changed;
    // Our own changes whose events have not arrived yet. By then the page may show something newer.
    private readonly List<string> _pending = [];

    /// <param name="navigation">Gives the address.</param>
    /// <param name="script">Changes it in the browser.</param>
    /// <param name="page">The page's path without the leading slash.</param>
    /// <param name="changed">Called when a link or the back button changed the page's address.</param>
    public PageAddress(NavigationManager navigation, IJSRuntime script, string page, Func<Task> changed)
    {
        (_navigation, _script, _page, _changed) = (navigation, script, page, changed);
        navigation.LocationChanged += OnLocationChanged;
    }

    /// <summary>The query parameters; the first value if one is given twice.</summary>
    public IReadOnlyDictionary<string, string> Parameters => QueryHelpers.ParseQuery(new Uri(_navigation.Uri).Query)
        .ToDictionary(one => one.Key, one => one.Value.Count > 0 ? one.Value[0]! : "", StringComparer.Ordinal);

    private bool IsHere => _navigation.ToBaseRelativePath(_navigation.Uri).Split('?', '#')[0] == _page;

    /// <summary>
    /// Sets query parameters; null removes one. Does nothing if the visitor has left the page by the time the browser hears of it.
    /// </summary>
    /// <param name="isStep">Whether the Back button leads back to the address before.</param>
    public void Set(IReadOnlyDictionary<string, object?> parameters, bool isStep = false)
    {
        var address = _navigation.GetUriWithQueryParameters(parameters);
        if (!IsHere || address == _navigation.Uri)
            return;
        _pending.Add(address);
        _ = ReplaceAsync(address, isStep);
    }

    private async Task ReplaceAsync(string address, bool isStep)
    {
        try
        {
            await _script.InvokeVoidAsync("saeunbox.replaceAddress", _page, address, isStep);
        }
        catch (Exception exception) when (exception is JSDisconnectedException or OperationCanceledException)
        {
            // The tab is closed.
        }
    }

    public void Dispose() => _navigation.LocationChanged -= OnLocationChanged;

    private void OnLocationChanged(object? sender, LocationChangedEventArgs change)
    {
        if (!_pending.Remove(change.Location) && IsHere)
            _ = _changed();
    }
}
