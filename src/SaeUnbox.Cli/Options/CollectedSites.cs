using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary>The sites that a folder holds activations of.</summary>
internal static class CollectedSites
{
    /// <exception cref="CliException">There is none.</exception>
    public static HookSite[] Of(string folder)
    {
        var sites = Directory.EnumerateDirectories(folder)
            .Select(path => HookSite.TryParse(Path.GetFileName(path), out var site) ? site : null)
            .OfType<HookSite>().Order().ToArray();
        return sites.Length > 0 ? sites : throw new CliException($"--data {Line.Quote(folder)}: there are no activations here; collect makes them.");
    }
}
