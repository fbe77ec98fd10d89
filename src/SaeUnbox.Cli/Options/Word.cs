using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary>Options that take one of a few lower-case words.</summary>
internal static class Word
{
    public static T? Parse<T>(string option, string? text) where T : struct, Enum
    {
        if (text is null) return null;
        foreach (var value in Enum.GetValues<T>())
            if (Of(value) == text) return value;
        throw new CliException($"{option} {Line.Quote(text)}: use one of {string.Join(", ", Enum.GetValues<T>().Select(Of))}.");
    }

    public static string Of<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();
}
