namespace SaeUnbox.Web.Components.Shared;

/// <summary>Names sites by what they control.</summary>
public static class SiteNames
{
    public static string Of(HookSite site) => site switch
    {
        _ when site == HookSite.Composition => "composition",
        _ when site == HookSite.Middle => "middle",
        _ when site == HookSite.Details => "details",
        _ when site == HookSite.Style => "style",
        _ => site.Code,
    };
}
