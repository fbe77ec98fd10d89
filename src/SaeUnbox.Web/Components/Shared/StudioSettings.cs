using System.Text.Json;
using Microsoft.JSInterop;

namespace SaeUnbox.Web.Components.Shared;

/// <summary>How somebody left the tools, kept in this browser.</summary>
internal sealed record StudioSettings(BrushState Brush, bool IsSeedLocked)
{
    private const string Key = "settings";

    public static StudioSettings Default { get; } = new(new BrushState(), IsSeedLocked: true);

    /// <summary>What was kept; where nothing was, or it cannot be read any more, the default.</summary>
    public static async Task<StudioSettings> RecallAsync(IJSRuntime script) => Read(await script.InvokeAsync<string?>("saeunbox.recall", Key));

    public ValueTask KeepAsync(IJSRuntime script) => script.InvokeVoidAsync("saeunbox.remember", Key, JsonSerializer.Serialize(this));

    internal static StudioSettings Read(string? kept)
    {
        try
        {
            return JsonSerializer.Deserialize<StudioSettings>(kept ?? "null") is { Brush: { } brush } read && Enum.IsDefined(brush.Tool)
                ? read with { Brush = brush with { Size = Math.Clamp(brush.Size, BrushState.Least, BrushState.Most), Hardness = Math.Clamp(brush.Hardness, 0, 1) } }
                : Default;
        }
        catch (JsonException)
        {
            return Default;
        }
    }
}
