using System.Text.Json;
using Microsoft.JSInterop;

namespace SaeUnbox.Web.Components.Shared;

/// <summary>Settings of the tools, stored in the visitor's browser.</summary>
/// <param name="Brush">The brush.</param>
/// <param name="IsSeedLocked">Whether new pictures keep the seed.</param>
/// <param name="HasKeys">Whether single keys choose tools and layers.</param>
internal sealed record StudioSettings(BrushState Brush, bool IsSeedLocked, bool HasKeys = true)
{
    private const string Key = "settings";

    public static StudioSettings Default { get; } = new(new BrushState(), IsSeedLocked: true);

    /// <summary>Loads the stored settings, or the default if there are none or they are unreadable.</summary>
    public static async Task<StudioSettings> LoadAsync(IJSRuntime script) =>
        Read(await script.InvokeAsync<string?>("saeunbox.recall", Key));

    public ValueTask SaveAsync(IJSRuntime script) =>
        script.InvokeVoidAsync("saeunbox.remember", Key, JsonSerializer.Serialize(this));

    internal static StudioSettings Read(string? json)
    {
        try
        {
            if (JsonSerializer.Deserialize<StudioSettings>(json ?? "null") is not { Brush: { } brush } read || !Enum.IsDefined(brush.Tool))
                return Default;
            var size = Math.Clamp(brush.Size, BrushState.MinSize, BrushState.MaxSize);
            return read with { Brush = brush with { Size = size, Hardness = Math.Clamp(brush.Hardness, 0, 1) } };
        }
        catch (JsonException)
        {
            return Default;
        }
    }
}

/// <summary>What the pointer does on the picture. The last two mark a region instead of painting the selected layer.</summary>
public enum Tool { Brush, Eraser, Lasso, Move, Select, Remove }

/// <param name="Tool">What the brush does.</param>
/// <param name="Size">Diameter in pixels of the picture.</param>
/// <param name="Hardness">From 0, soft from the centre, to 1, sharp at the edge.</param>
public sealed record BrushState(Tool Tool = Tool.Brush, int Size = 128, double Hardness = .8)
{
    public const int MinSize = 8, MaxSize = 512;
}
