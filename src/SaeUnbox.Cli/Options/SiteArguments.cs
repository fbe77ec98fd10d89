using System.CommandLine;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary>Options that take the code of a site, such as <c>down.2.1</c>.</summary>
internal static class SiteArgument
{
    /// <exception cref="CliException">The text is not a site's code.</exception>
    public static Site Parse(string option, string code) => Site.TryParse(code, out var site)
        ? site
        : throw new CliException($"{option} {Line.Quote(code)}: not a site; use a code such as down.2.1, mid.0, up.0.0 or up.0.1.");

    /// <summary>The sites of an option that may be repeated, without duplicates; empty if it is missing.</summary>
    /// <exception cref="CliException">One of them is not a site's code.</exception>
    public static Site[] Read(ParseResult parsed, Option<string[]> option) =>
        [.. (parsed.GetValue(option) ?? []).Select(code => Parse(option.Name, code)).Distinct()];

    /// <summary>The sites that a folder holds activations of.</summary>
    /// <exception cref="CliException">There are none.</exception>
    public static Site[] Collected(string folder)
    {
        var sites = Directory.EnumerateDirectories(folder)
            .Select(path => Site.TryParse(Path.GetFileName(path), out var site) ? site : null)
            .OfType<Site>().Order().ToArray();
        return sites.Length > 0
            ? sites
            : throw new CliException($"--data {Line.Quote(folder)}: there are no activations in this folder; run saeunbox collect first.");
    }
}
