using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace SaeUnbox.Testing;

/// <summary>
/// The folder of reference results. <c>SAEUNBOX_GOLDENS</c> names another folder of the same layout; tests take every size,
/// prompt and step from the folder itself, so they hold there too.
/// </summary>
public static class Goldens
{
    public static string Root { get; } = Find();

    /// <summary>A file or folder under <see cref="Root"/>, e.g. <c>Goldens.At("model", "unet")</c>.</summary>
    public static string At(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>A JSON file of the folder, parsed.</summary>
    public static JsonElement Json(params string[] parts)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(At(parts)));
        return document.RootElement.Clone();
    }

    /// <summary>The step of the base run that the results of its activations are of; only the folder's description says it.</summary>
    public static int BaseStep { get; } = int.Parse(
        Regex.Match(File.ReadAllText(At("README.md")), @"base run .*timestep=(\d+)").Groups[1].Value, CultureInfo.InvariantCulture);

    private static string Find()
    {
        if (Environment.GetEnvironmentVariable("SAEUNBOX_GOLDENS") is { Length: > 0 } named)
            return Directory.Exists(named) ? Path.GetFullPath(named)
                : throw new DirectoryNotFoundException($"SAEUNBOX_GOLDENS names '{named}', which is no folder.");
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "tests", "goldens");
            if (File.Exists(Path.Combine(candidate, "README.md")))
                return candidate;
        }
        throw new DirectoryNotFoundException($"No folder above '{AppContext.BaseDirectory}' holds tests/goldens.");
    }
}
