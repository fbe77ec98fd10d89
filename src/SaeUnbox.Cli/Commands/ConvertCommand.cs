namespace SaeUnbox.Cli.Commands;

/// <summary><c>convert</c>: writes a model or a dictionary in another layout.</summary>
internal sealed class ConvertCommand
{
    private readonly Argument<string> _in = new("IN") { Description = "A model (a folder of diffusers, or one file), or a dictionary." };
    private readonly Argument<string> _out = new("OUT")
    {
        Description = "A new folder, or a file with the ending .safetensors, which gets the original layout.",
    };
    private readonly ConvertDictionary _dictionary = new();
    private readonly Option<string?> _dtype =
        Setting.Of<string?>("--dtype", "FORMAT", "Store weights as fp32, bf16 or fp16 (default: as they are).");
    private readonly Option<string?> _base = InputPath.Base();
    private readonly Option<string?> _tokenizer = InputPath.Tokenizer();
    private readonly Option<string[]> _loras = InputPath.Loras();
    private readonly Option<string?> _scheduler = Setting.Of<string?>("--scheduler", "DIR", "Folder of another scheduler_config.json.");

    public static Command Create(Terminal terminal)
    {
        var self = new ConvertCommand();
        return terminal.NewCommand("convert", "Write a model as a folder or as one file, or a dictionary in another layout.",
            [self._in, self._out, self._dtype, self._base, self._tokenizer, self._scheduler, self._loras, .. self._dictionary.Options],
            (parsed, cancellation) => self.Run(terminal, parsed, cancellation));
    }

    private void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var (source, target) = (parsed.GetRequiredValue(_in), parsed.GetRequiredValue(_out));
        if (!File.Exists(source) && !Directory.Exists(source))
            throw new CliException($"{Line.Quote(source)}: there is no such file or folder.");
        if (_dictionary.IsMeant(parsed) || InspectDictionary.IsOne(source))
            _dictionary.Run(terminal, parsed, source, target);
        else
            Model(terminal, parsed, source, target, cancellation);
    }

    private void Model(Terminal terminal, ParseResult parsed, string source, string target, CancellationToken cancellation)
    {
        var dtype = NamedValue.ParseStored("--dtype", parsed.GetValue(_dtype));
        // A line written meanwhile would break the progress bar.
        var notes = new List<string>();
        var isWhole = terminal.WithProgress("converting", work =>
        {
            var options = new ModelConversionOptions
            {
                BasePath = InputPath.Read(parsed, _base),
                TokenizerFolder = InputFolder.Read(parsed, _tokenizer),
                SchedulerFolder = InputFolder.Read(parsed, _scheduler),
                Loras = InputPath.ReadLoras(parsed, _loras),
                Note = notes.Add,
                Dtype = dtype,
                Progress = share => work.Report(share, $"writing {Path.GetFileName(target)}"),
                Cancellation = cancellation,
            };
            if (target.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
                return ModelConversion.ToFile(source, target, options);
            ModelConversion.ToFolder(source, target, options);
            return true;
        });
        notes.ForEach(terminal.Note);
        if (!isWhole)
            terminal.Note("the model's tokenizer is not CLIP's, and a file holds none; name its folder with --tokenizer where you load "
                + "the file");
        terminal.Output.WriteLine(target);
    }
}

/// <summary>The part of <c>convert</c> that writes dictionaries in the layout of another program.</summary>
internal sealed class ConvertDictionary
{
    private readonly Option<string?> _to = Setting.Of<string?>("--to", "LAYOUT",
        $"Of dictionaries: the layout to write: {string.Join(", ", DictionaryConversion.Layouts)}.");
    private readonly SaeKArgument _k = new();

    public IReadOnlyList<Option> Options => [_to, _k.Option];

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
