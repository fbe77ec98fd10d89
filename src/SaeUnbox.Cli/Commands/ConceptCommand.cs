using SaeUnbox.Mini.Evaluation;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>concept</c>: finds the features that stand for a concept, and keeps them under a name in the atlas.</summary>
internal sealed class ConceptCommand
{
    private readonly ModelArguments _model = new(DtypeChoice.Fp32);
    private readonly Option<string[]> _from = Setting.Of<string[]>("--from", "PROMPT", "A prompt with the concept; may be repeated.");
    private readonly Option<string[]> _against = Setting.Of<string[]>("--against", "PROMPT",
        "A prompt without it, else as equal as possible; may be repeated. With --mask it may be left out.");
    private readonly Option<string?> _truth = Setting.Of<string?>("--truth", "ELEMENT",
        "unbox-mini only, instead of --from: an element of its scenes, such as tree; it is known in which cells it is.");
    private readonly Option<int?> _seeds = Setting.Of<int?>("--seeds", "N", "Pictures of each prompt (default: 8; 100 with --truth).");
    private readonly Option<long> _seed = Setting.Of("--seed", "N", "The first seed.", 42L);
    private readonly Option<int?> _steps = Setting.Of<int?>("--steps", "N", "Denoising steps (default: the model's own).");
    private readonly Option<double?> _guidance = Setting.Of<double?>("--guidance", "X", "Guidance scale (default: the model's own).");
    private readonly Option<int?> _size = Setting.Of<int?>("--size", "N", "Width and height in pixels (default: the model's own).");
    private readonly Option<string?> _mask = Setting.Of<string?>("--mask", "MASK",
        "Where the concept is in the pictures of --from: a PNG of the picture's size, a JSON file, or JSON rows, on any grid.");
    private readonly Option<string[]> _sites = Setting.Of<string[]>("--site", "SITE",
        "A site; may be repeated (default: all of the U-Net with an autoencoder).");
    private readonly Option<int> _top = Setting.Of("--top", "N", "Features to keep for each site.", 5);
    private readonly Option<string?> _name = Setting.Of<string?>("--name", "NAME",
        "Name of the concept (default: the longest word that only --from has).");
    private readonly AtlasArgument _atlas = new("Folder of the atlas to keep the concept in (default: the model's own).");
    private readonly Option<bool> _json = Setting.Switch("--json", "Print the concept as JSON, with its score at each step.");

    public static Command Create(Terminal terminal)
    {
        var self = new ConceptCommand();
        return terminal.NewCommand("concept",
            "Find the features that are active in pictures with a concept and not in others, and keep them under a name: "
            + "--edit concept:NAME:STRENGTH.",
            [.. self._model.Options, self._from, self._against, self._truth, self._seeds, self._seed, self._steps, self._guidance,
                self._size, self._mask, self._sites, self._top, self._name, self._atlas.Option, self._json],
            (parsed, cancellation) => self.Run(terminal, parsed, cancellation));
    }

    private void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var (from, against) = (parsed.GetValue(_from) ?? [], parsed.GetValue(_against) ?? []);
        var mask = parsed.GetValue(_mask);
        var options = _model.Read(parsed, null);
        var seed = Require.AtLeast(0, "--seed", parsed.GetValue(_seed));
        var truth = Truth(parsed, options, seed);
        if (truth is not null && (from.Length > 0 || against.Length > 0 || mask is not null || parsed.GetValue(_size) is not null))
            throw new CliException(
                "--truth: leave out --from, --against, --mask and --size; the scenes have captions and cells of their own.");
        if (from.Length == 0 && truth is null)
            throw new CliException("say what has the concept: --from PROMPT.");
        if (against.Length == 0 && mask is null && truth is null)
            throw new CliException("say what to compare with: --against PROMPT, or --mask MASK for the part of the picture that has it.");
        var name = parsed.GetValue(_name) ?? truth?.Element ?? LongestOwnWord(from, against);
        if (!Concept.IsName(name))
            throw new CliException($"--name {Line.Quote(name)}: use letters, digits, spaces, hyphens and underscores.");
        var seeds = Require.Between("--seeds", parsed.GetValue(_seeds) ?? (truth is null ? 8 : 100), 1, 10_000);
        var top = Require.Between("--top", parsed.GetValue(_top), 1, 1000);
        var sites = SiteArgument.Read(parsed, _sites);
        var atlas = _atlas.Find(parsed, _model);
        using var loaded = ModelSession.Load(terminal, options, cancellation);
        if (loaded.Saes.Count + loaded.TextSaes.Count == 0)
            throw new CliException("a concept needs sparse autoencoders; name their folder with --saes.");
        foreach (var site in sites.Where(site => loaded.Info.Find(site) is null))
            throw new CliException($"there is no sparse autoencoder for {site}, only for "
                + $"{string.Join(", ", loaded.Saes.Keys.Concat(loaded.TextSaes.Keys))}.");

        var plain = Plain(parsed, loaded);
        KnownPicture[] known = truth is null ? [] : [.. Enumerable.Range(0, seeds).Select(truth.Judge.Picture)];
        Recipe[] with = truth is null
            ? Recipes(plain, from, seed, seeds)
            : [.. known.Select(picture => plain with { Prompt = picture.Caption.Text, Seed = picture.Caption.Seed })];
        var question = new ConceptQuestion
        {
            With = with,
            Against = Recipes(plain, against, seed, seeds),
            Regions = truth is not null ? [.. known.Select(picture => picture.Regions[truth.Number])]
                : mask is not null ? [.. Enumerable.Repeat(MaskFile.ReadAny(mask, with[0], FinestGrid(loaded, with[0])), with.Length)]
                : null,
            Sites = sites,
            Features = top,
        };
        var all = question.With.Count + question.Against.Count;
        var found = terminal.WithProgress("comparing pictures", work => ConceptFinder.Run(
            loaded, question, done => work.Report(done, all, () => "comparing pictures"), cancellation));
        if (found.Sites.Count == 0)
            throw new CliException("no feature is more active in the pictures of --from.");
        var concept = new Concept(name, truth?.Source(seeds) ?? Source(from, against, mask, seeds), found.Sites);
        if (atlas is not null)
            AtlasWriter.SetConcepts(Path.Combine(atlas, AtlasReader.FileName), concept);
        else
            terminal.Note("this model has no atlas, so the concept is printed and not kept; make one with saeunbox atlas, or name it "
                + "with --atlas.");
        terminal.Output.Write(parsed.GetValue(_json) ? Json.Text(Node(concept, found)) + Environment.NewLine : Text(concept, found));
    }

    // Null without --truth.
    private KnownElement? Truth(ParseResult parsed, ModelOptions options, long seed)
    {
        if (parsed.GetValue(_truth) is not { } element)
            return null;
        if (options.Name != EmbeddedModel.Name)
            throw new CliException(
                "--truth: nothing knows what this model's pictures show; leave out --model, or use --from and --against.");
        var judge = new SceneJudge(unchecked((int)seed));
        NamedValue.OneOf("--truth", element, judge.Elements);
        return new(judge, element, judge.Elements.Index().Single(one => one.Item == element).Index);
    }

    private Recipe Plain(ParseResult parsed, LoadedModel model)
    {
        var plain = model.Info.NewRecipe();
        return plain with
        {
            Steps = parsed.GetValue(_steps) ?? plain.Steps,
            Guidance = parsed.GetValue(_guidance) ?? plain.Guidance,
            Width = parsed.GetValue(_size) ?? plain.Width,
            Height = parsed.GetValue(_size) ?? plain.Height,
        };
    }

    private static Recipe[] Recipes(Recipe plain, string[] prompts, long seed, int seeds) =>
        [.. prompts.SelectMany(prompt => Enumerable.Range(0, seeds).Select(i => plain with { Prompt = prompt, Seed = seed + i }))];

    private static (int Rows, int Columns) FinestGrid(LoadedModel model, Recipe recipe) =>
        model.Info.Sites.MinBy(sae => sae.CellSize)!.Grid(recipe.Width, recipe.Height);

    private static string LongestOwnWord(string[] from, string[] against)
    {
        static IEnumerable<string> Words(string[] prompts) => prompts.SelectMany(prompt =>
            prompt.ToLowerInvariant().Split([.. prompt.ToLowerInvariant().Where(c => !char.IsLetterOrDigit(c)).Distinct()]));
        return Words(from).Except(Words(against)).MaxBy(word => word.Length) is { Length: > 0 } word
            ? word
            : throw new CliException("the prompts of --from have no word of their own; name the concept with --name.");
    }

    private static string Source(string[] from, string[] against, string? mask, int seeds) =>
        string.Join(" or ", from.Select(prompt => $"\"{prompt}\"")) + (mask is null ? "" : " in a region")
        + (against.Length > 0 ? $" against {string.Join(" or ", against.Select(prompt => $"\"{prompt}\""))}" : "")
        + string.Create(CultureInfo.InvariantCulture, $", {seeds} {(seeds == 1 ? "seed" : "seeds")}");

    private static string Text(Concept concept, ConceptFindings found)
    {
        var text = new StringBuilder().AppendLine(CultureInfo.InvariantCulture, $"{concept.Name}: {concept.Source}");
        foreach (var site in concept.Sites)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"{site.Site}  --edit {site.Site}:{string.Join('+', site.Features.Select(one => one.Feature))}:STRENGTH"
                + $"{(found.Auc[site.Site] is { } together ? FormattableString.Invariant($"  AUC together {together:0.000}") : "")}");
            foreach (var one in site.Features)
                text.AppendLine(CultureInfo.InvariantCulture,
                    $"  {one.Feature,7} "
                    + $"{one.Score,8:+0.0000}{(one.Auc is { } auc ? FormattableString.Invariant($"  AUC {auc:0.000}") : "")}");
        }
        return text.ToString();
    }

    private static object Node(Concept concept, ConceptFindings found) => new
    {
        name = concept.Name,
        source = concept.Source,
        sites = concept.Sites.Select(site => new
        {
            site = site.Site,
            auc = found.Auc[site.Site],
            features = site.Features.Select(one => new { feature = one.Feature, score = one.Score, auc = one.Auc }),
            scoreByStep = found.Steps.Where(step => step.Site == site.Site).Select(step => step.Score),
        }),
    };

    /// <summary>An element of unbox-mini's scenes.</summary>
    /// <param name="Number">Its place among the judge's.</param>
    private sealed record KnownElement(SceneJudge Judge, string Element, int Number)
    {
        public string Source(int pictures) =>
            string.Create(CultureInfo.InvariantCulture, $"the cells with {Element} in {pictures} of unbox-mini's scenes");
    }
}
