using System.CommandLine;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Cli.Options;

/// <summary>The options that choose the captions to run a model on.</summary>
internal sealed class CaptionArguments
{
    private readonly Option<string?> _file = Setting.Of<string?>("--captions", "FILE",
        "Captions: .txt (one per line), .json, .jsonl, .csv or .tsv (with caption, text or prompt, and optionally seed).");
    private readonly Option<int?> _generated =
        Setting.Of<int?>("--mini-captions", "N", "Generate N captions of unbox-mini's scenes instead.");
    private readonly Option<long> _seed = Setting.Of("--seed", "N", "Seed of the first caption; each next one gets the next number.", 42L);
    private readonly Option<int?> _limit =
        Setting.Of<int?>("--limit", "N", "Use the first N captions only; may be raised when a run continues.");

    public void AddTo(Command command) => command.Add(_file, _generated, _seed, _limit);

    /// <summary>Whether the options name any captions.</summary>
    public bool AreNamed(ParseResult parsed) => parsed.GetValue(_file) is not null || parsed.GetValue(_generated) is not null;

    /// <exception cref="CliException">The options name no captions, or two sources of them, or the file is broken.</exception>
    public IReadOnlyList<Caption> Read(ParseResult parsed)
    {
        var seed = Require.AtLeast(0, "--seed", parsed.GetValue(_seed));
        var limit = parsed.GetValue(_limit) is { } most ? Require.AtLeast(1, "--limit", most) : int.MaxValue;
        return (parsed.GetValue(_file), parsed.GetValue(_generated)) switch
        {
            ({ } path, null) => CaptionFile.Read(path, seed, limit),
            (null, { } count) => Generate(Math.Min(Require.AtLeast(1, "--mini-captions", count), limit), seed),
            _ => throw new CliException("say which captions: either --captions FILE or --mini-captions N."),
        };
    }

    /// <summary>Captions of unbox-mini's scenes.</summary>
    /// <param name="seed">The seed of the first; each next one gets the next number.</param>
    public static IReadOnlyList<Caption> Generate(int count, long seed)
    {
        var random = new Random(unchecked((int)seed));
        var mix = new SceneMix();
        return
        [
            .. Enumerable.Range(0, count).Select(number => new Caption(
                CaptionGrammar.Compose(SceneSampler.Draw(random, mix), random), CaptionFile.SeedOf(seed, number))),
        ];
    }
}
