using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;

namespace SaeUnbox.Steering;

/// <summary>
/// The name of a sparse autoencoder's folder: the site, then its hyper-parameters, as in
/// <c>unet.mid_block.attentions.0_k10_hidden5120_auxk256_bs4096_lr0.0001</c>.
/// </summary>
/// <param name="Site">The block it reads.</param>
/// <param name="Rest">The part after the site, without the leading underscore.</param>
public sealed partial record SaeFolderName(Site Site, string Rest)
{
    /// <summary>
    /// Reads a folder's name; the site may be a module path, with or without <c>unet.</c> or <c>text_encoder.</c>, or a code
    /// (<c>mid.0_k10</c>).
    /// </summary>
    public static bool TryParse(string name, [NotNullWhen(true)] out SaeFolderName? result)
    {
        result = null;
        var match = Pattern().Match(name);
        if (!match.Success)
            return false;
        var site = match.Groups["site"].Value;
        if (Site.TryParseModulePath(site, out var parsed)
            || Site.TryParseModulePath("unet." + site, out parsed)
            || Site.TryParseModulePath("text_encoder." + site, out parsed)
            || Site.TryParse(site, out parsed))
            result = new SaeFolderName(parsed, match.Groups["rest"].Value);
        return result is not null;
    }

    /// <summary>Whether the hyper-parameters begin with these, such as <c>k10_hidden5120</c>. Numbers must match completely.</summary>
    public bool IsVariant(string variant) =>
        Rest.StartsWith(variant, StringComparison.Ordinal) && (Rest.Length == variant.Length || Rest[variant.Length] == '_');

    /// <summary>The reference's name for an autoencoder trained with these numbers.</summary>
    public static string Of(Site site, int k, int features, int? auxK, int batchSize, double learningRate) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{site.ModulePath}_k{k}_hidden{features}_auxk{(auxK is { } count ? count : "None")}")
        + string.Create(CultureInfo.InvariantCulture, $"_bs{batchSize}_lr{PythonNumber(learningRate)}");

    // Python writes 0.0001 but 1e-05, .NET 0.0001 but 1E-05.
    private static string PythonNumber(double value) =>
        value.ToString("R", CultureInfo.InvariantCulture).Replace("E-0", "e-0").Replace("E-", "e-").Replace("E+", "e+");

    [GeneratedRegex(@"^(?<site>[a-z_]+(\.[a-z_]+|\.\d+)+)(_(?<rest>k\d.*))?$", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
