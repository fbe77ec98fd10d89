namespace SaeUnbox.Web.Components.Shared;

/// <summary>Names sites by what they control.</summary>
public static class SiteNames
{
    public static string Of(Site site) => site switch
    {
        _ when site == Site.Composition => "composition",
        _ when site == Site.Middle => "middle",
        _ when site == Site.Details => "details",
        _ when site == Site.Style => "style",
        _ => site.Code,
    };
}
