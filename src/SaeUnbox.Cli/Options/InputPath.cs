using System.CommandLine;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary>Models that the user names, each a folder or a file.</summary>
internal static class InputPath
{
    /// <summary><c>--base</c>.</summary>
    public static Option<string?> Base() => Setting.Of<string?>("--base", "PATH",
        "Model that lends what a one-file model lacks: other parts, the tokenizer, the configuration of unusual sizes.");

    /// <summary><c>--tokenizer</c>.</summary>
    public static Option<string?> Tokenizer() => Setting.Of<string?>("--tokenizer", "DIR",
        "Folder of another tokenizer, or a model's folder with tokenizer and tokenizer_2 (default for one file: CLIP's own).");

    /// <summary><c>--cache</c>.</summary>
    public static Option<string?> Cache() => Setting.Of<string?>("--cache", "DIR|off",
        "Folder that keeps the converted weights, so that the next start on a CPU maps them into memory (default: off).");

    /// <summary><c>--lora</c>.</summary>
    public static Option<string[]> Loras() => Setting.Of<string[]>("--lora", "FILE[:SCALE]",
        "LoRA to merge into the weights, in the names of diffusers, PEFT or kohya (scale 1 unless given); may be repeated.");

    /// <summary>The files of <c>--lora</c>.</summary>
    /// <exception cref="CliException">There is no such file, or there are too many.</exception>
    public static IReadOnlyList<LoraFile> ReadLoras(ParseResult parsed, Option<string[]> option)
    {
        LoraFile[] loras = [.. (parsed.GetValue(option) ?? []).Select(LoraFile.Parse)];
        if (loras.Length > RecipeLimits.MaxLoras)
            throw new CliException($"{option.Name}: {loras.Length} were given, and {RecipeLimits.MaxLoras} are allowed.");
        return Array.Find(loras, lora => !File.Exists(lora.Path)) is { } missing
            ? throw new CliException($"{option.Name} {Line.Quote(missing.Path)}: there is no such file.")
            : loras;
    }

    /// <summary>The path of an option; null if the option is missing.</summary>
    /// <exception cref="CliException">There is no such file or folder.</exception>
    public static string? Read(ParseResult parsed, Option<string?> option)
    {
        if (parsed.GetValue(option) is not { } path)
            return null;
        if (path.Length == 0)
            throw new CliException($"{option.Name}: the name of a file or folder is expected.");
        return File.Exists(path) || Directory.Exists(path)
            ? path
            : throw new CliException($"{option.Name} {Line.Quote(path)}: there is no such file or folder.");
    }
}
