using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Routing;
using Microsoft.AspNetCore.WebUtilities;

namespace SaeUnbox.Web.Components;

/// <summary>What a page shows, kept in its address: to load it again, to come back to it and to pass it on shows the same.</summary>
internal sealed class PageAddress : IDisposable
{
    private readonly NavigationManager _navigation;
    private readonly string _page;
    private readonly Func<Task> _moved;
    // Written, and not yet heard of: the browser answers when the page may show something newer already.
    private readonly List<string> _written = [];

    /// <param name="navigation">Knows the address.</param>
    /// <param name="page">The page's own path, without the slash before it.</param>
    /// <param name="moved">Called where somebody else changed the address of this page: a link, or a step back.</param>
    public PageAddress(NavigationManager navigation, string page, Func<Task> moved)
    {
        (_navigation, _page, _moved) = (navigation, page, moved);
        navigation.LocationChanged += Follow;
    }

    /// <summary>What stands behind the question mark; of a part given twice the first.</summary>
    public IReadOnlyDictionary<string, string> Parts =>
        QueryHelpers.ParseQuery(new Uri(_navigation.Uri).Query).ToDictionary(part => part.Key, part => part.Value.Count > 0 ? part.Value[0]! : "", StringComparer.Ordinal);

    private bool IsHere => _navigation.ToBaseRelativePath(_navigation.Uri).Split('?', '#')[0] == _page;

    /// <summary>Writes parts into the address, without a step in the browser's history; null takes one out.</summary>
    public void Keep(IReadOnlyDictionary<string, object?> parts)
    {
        var address = _navigation.GetUriWithQueryParameters(parts);
        if (!IsHere || address == _navigation.Uri)
            return;
        _written.Add(address);
        _navigation.NavigateTo(address, new NavigationOptions { ReplaceHistoryEntry = true });
    }

    public void Dispose() => _navigation.LocationChanged -= Follow;

    private void Follow(object? sender, LocationChangedEventArgs change)
    {
        if (!_written.Remove(change.Location) && IsHere)
            _ = _moved();
    }
}
