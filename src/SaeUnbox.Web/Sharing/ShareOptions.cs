using System.ComponentModel.DataAnnotations;

namespace SaeUnbox.Web.Sharing;

/// <summary>The section "SaeUnbox:Sharing".</summary>
internal sealed class ShareOptions
{
    public const string Section = "SaeUnbox:Sharing";

    /// <summary>The SQLite file.</summary>
    [Required]
    public string File { get; set; } = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create), "saeunbox", "shares.db");

    /// <summary>How long a link that nobody opens is kept; zero for ever.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "3650.00:00:00")]
    public TimeSpan Keep { get; set; } = TimeSpan.FromDays(365);
}
