using System.CommandLine;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary><c>--atlas</c>, which defaults to the atlas that the studio shows for a model.</summary>
internal sealed class AtlasArgument(string description)
{
    private readonly Option<string?> _atlas = Setting.Of<string?>("--atlas", "DIR", description);

    public void AddTo(Command command) => command.Add(_atlas);

    /// <summary>The folder of the atlas; null if none is named and the model has none.</summary>
    /// <exception cref="CliException">The named folder holds no atlas.</exception>
    public string? Find(ParseResult parsed, ModelArguments model)
    {
        if (InputFolder.Read(parsed, _atlas) is not { } folder)
            return model.AtlasFolder(parsed);
        return File.Exists(Path.Combine(folder, AtlasReader.FileName))
            ? folder
            : throw new CliException($"--atlas {Line.Quote(folder)}: this folder holds no {AtlasReader.FileName}.");
    }
}
