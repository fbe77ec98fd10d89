using System.CommandLine;

namespace SaeUnbox.Cli.Options;

/// <summary>Creates options.</summary>
internal static class Setting
{
    /// <summary>An option without a value.</summary>
    public static Option<bool> Switch(string name, string description) => new(name) { Description = description };

    /// <param name="placeholder">Stands for the value in the help text.</param>
    public static Option<T> Of<T>(string name, string placeholder, string description) =>
        new(name) { Description = description, HelpName = placeholder };

    /// <summary>An option whose default value the help text shows.</summary>
    public static Option<T> Of<T>(string name, string placeholder, string description, T defaultValue) =>
        new(name) { Description = description, HelpName = placeholder, DefaultValueFactory = _ => defaultValue };

    public static Option<T> Required<T>(string name, string placeholder, string description) =>
        new(name) { Description = description, HelpName = placeholder, Required = true };

    /// <summary><c>--out</c> or <c>-o</c>, which is required.</summary>
    public static Option<string> Output(string placeholder, string description) =>
        new("--out", "-o") { Description = description, HelpName = placeholder, Required = true };

    public static void Add(this Command command, params ReadOnlySpan<Option> options)
    {
        foreach (var option in options)
            command.Options.Add(option);
    }
}
