using System.CommandLine;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Cli.Options;

/// <summary>Which captions a model is run on.</summary>
internal sealed class CaptionArguments
{
    private readonly Option<string?> captions = new("--captions") { Description = "Captions: .txt (one a line), .jsonl or .csv (caption, text or prompt; seed where there is one).", HelpName = "FILE" };
    private readonly Option<int?> grammar = new("--mini-captions") { Description = "So many captions of the mini model's scenes in place of a file.", HelpName = "N" };
    private readonly Option<long> seed = new("--seed") { Description = "Seed of the first caption; the next has the next.", HelpName = "N", DefaultValueFactory = _ => 42 };
    private readonly Option<int?> limit = new("--limit") { Description = "Most captions; may grow when a run goes on.", HelpName = "N" };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[captions, grammar, seed, limit]) command.Add(option);
    }

    /// <summary>Whether any captions are named.</summary>
    public bool AreNamed(ParseResult parsed) => parsed.GetValue(captions) is not null || parsed.GetValue(grammar) is not null;

    /// <exception cref="CliException">Not one source of captions is named, or it cannot be used.</exception>
    public IReadOnlyList<Caption> Read(ParseResult parsed)
    {
        var first = parsed.GetValue(seed) is >= 0 and var number ? number : throw new CliException($"--seed {parsed.GetValue(seed)}: use 0 or more.");
        var most = parsed.GetValue(limit) is { } some ? Whole.AtLeast(1, "--limit", some) : int.MaxValue;
        switch (parsed.GetValue(captions), parsed.GetValue(grammar))
        {
            case ({ } path, null):
                return CaptionFile.Read(path, first, most);
            case (null, { } count):
                return OfGrammar(Math.Min(Whole.AtLeast(1, "--mini-captions", count), most), first);
            default:
                throw new CliException("say which captions: either --captions FILE or --mini-captions N.");
        }
    }

    /// <summary>Captions of the mini model's scenes, and a seed for each.</summary>
    public static IReadOnlyList<Caption> OfGrammar(int count, long seed)
    {
        var random = new Random(unchecked((int)seed));
        var mix = new SceneMix();
        return [.. Enumerable.Range(0, count).Select(index => new Caption(CaptionGrammar.Compose(SceneSampler.Draw(random, mix), random), CaptionFile.SeedOf(seed, index)))];
    }
}
