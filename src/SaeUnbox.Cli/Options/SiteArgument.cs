using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary>Options that take a site's code.</summary>
internal static class SiteArgument
{
    /// <exception cref="CliException">The text is no site's code.</exception>
    public static HookSite Parse(string option, string code) => HookSite.TryParse(code, out var site)
        ? site
        : throw new CliException($"{option} {Line.Quote(code)}: no site such as down.2.1, mid.0, up.0.0 or up.0.1.");
}
