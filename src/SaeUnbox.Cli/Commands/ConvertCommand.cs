using System.CommandLine;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>convert</c>: writes what it is given in another layout. What that is decides which layouts there are.</summary>
internal sealed class ConvertCommand
{
    private readonly Argument<string> _in = new("IN") { Description = "A dictionary in any layout, or a folder of several." };
    private readonly Argument<string> _out = new("OUT") { Description = "The folder to write." };
    private readonly ConvertDictionary _dictionary = new();

    public static Command Create(Terminal terminal)
    {
        var self = new ConvertCommand();
        var command = new Command("convert", "Write dictionaries in the layout of another program.") { self._in, self._out };
        self._dictionary.AddTo(command);
        command.SetGuardedAction(terminal, (parsed, _) => self.Run(terminal, parsed));
        return command;
    }

    private void Run(Terminal terminal, ParseResult parsed)
    {
        var (source, target) = (parsed.GetRequiredValue(_in), parsed.GetRequiredValue(_out));
        if (!File.Exists(source) && !Directory.Exists(source))
            throw new CliException($"{Line.Quote(source)}: there is no such file or folder.");
        if (!_dictionary.IsMeant(parsed))
            throw new CliException($"--to: name the layout to write: {string.Join(", ", DictionaryConversion.Layouts)}.");
        _dictionary.Run(terminal, parsed, source, target);
    }
}
