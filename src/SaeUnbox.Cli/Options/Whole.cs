using System.Numerics;

namespace SaeUnbox.Cli.Options;

/// <summary>Whole numbers within bounds; one outside them is told with its option.</summary>
internal static class Whole
{
    /// <exception cref="CliException">It is less.</exception>
    public static T AtLeast<T>(T least, string option, T number) where T : IBinaryInteger<T> =>
        number >= least ? number : throw new CliException($"{option} {number}: use {least} or more.");

    /// <exception cref="CliException">It is less or more.</exception>
    public static int Between(string option, int number, int least, int most) =>
        number >= least && number <= most ? number : throw new CliException($"{option} {number}: use {least} to {most}.");
}
