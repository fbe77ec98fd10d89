using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Components.Pages.Paint;

/// <summary>What stays from visit to visit.</summary>
public sealed partial class Paint
{
    private async Task RecallSettingsAsync()
    {
        var kept = await StudioSettings.RecallAsync(Script);
        _isSeedLocked = kept.IsSeedLocked;
        await SetBrushAsync(kept.Brush);
    }

    private async Task LockSeedAsync(bool isLocked)
    {
        _isSeedLocked = isLocked;
        await KeepSettingsAsync();
    }

    private ValueTask KeepSettingsAsync() => new StudioSettings(_brush, _isSeedLocked).KeepAsync(Script);
}
