using System.CommandLine;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary>The part of <c>convert</c> that writes dictionaries in the layout of another program.</summary>
internal sealed class ConvertDictionary
{
    private readonly Option<string?> _to = Setting.Of<string?>("--to", "LAYOUT",
        $"Of dictionaries: the layout to write: {string.Join(", ", DictionaryConversion.Layouts)}.");
    private readonly SaeKArgument _k = new();

    public void AddTo(Command command)
    {
        command.Add(_to);
        _k.AddTo(command);
    }

    /// <summary>Whether a dictionary's layout is asked for.</summary>
    public bool IsMeant(ParseResult parsed) => parsed.GetValue(_to) is not null;

    public void Run(Terminal terminal, ParseResult parsed, string source, string target)
    {
        var layout = parsed.GetValue(_to)
            ?? throw new CliException($"--to: name the layout to write: {string.Join(", ", DictionaryConversion.Layouts)}.");
        if (!DictionaryConversion.Layouts.Contains(layout))
            throw new CliException(
                $"--to {Line.Quote(layout)}: no such layout; use {string.Join(", ", DictionaryConversion.Layouts)}.");
        OutputFile.RequireFolder(target, "OUT");
        var k = _k.Read(parsed);
        foreach (var folder in terminal.WithProgress("converting", _ => DictionaryConversion.Run(source, target, layout, k)))
            terminal.Output.WriteLine(folder);
    }
}
