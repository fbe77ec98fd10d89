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
