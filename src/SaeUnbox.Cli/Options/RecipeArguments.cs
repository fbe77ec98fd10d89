namespace SaeUnbox.Cli.Options;

/// <summary>The options that describe a picture: a recipe file, single options, or a file with options that override it.</summary>
internal sealed class RecipeArguments
{
    private const long LargestRecipe = 256 << 20;

    private readonly Option<string?> _recipe = Setting.Of<string?>("--recipe", "FILE",
        "A recipe: a JSON file, or a PNG that contains one. Other options override it; edits are added to its own.");
    private readonly Option<string?> _prompt = new("--prompt", "-p") { Description = "What the picture shows.", HelpName = "TEXT" };
    private readonly Option<string?> _negative =
        Setting.Of<string?>("--negative", "TEXT", "What to avoid; needs a guidance scale above 1.");
    private readonly Option<long?> _seed = Setting.Of<long?>("--seed", "N", "Seed of the noise, 0 to 2^63-1 (default: 42).");
    private readonly Option<int?> _steps = Setting.Of<int?>("--steps", "N",
        "Denoising steps (default: the model's own; 1 for a turbo model, else 25).");
    private readonly Option<double?> _guidance = Setting.Of<double?>("--guidance", "X",
        "Guidance scale; up to 1 means no guidance (default: the model's own; 0 for a turbo model, else 8).");
    private readonly Option<int?> _width = Setting.Of<int?>("--width", "W", "Width in pixels, a multiple of 8 (default: the model's own).");
    private readonly Option<int?> _height =
        Setting.Of<int?>("--height", "H", "Height in pixels, a multiple of 8 (default: the model's own).");
    private readonly Option<string[]> _edits = Setting.Of<string[]>("--edit", "EDIT",
        $"{EditArgument.Form}, or concept:NAME[/SITE] for SITE:FEATURE; may be repeated. MASK is a PNG of the picture's size, a JSON "
        + "file, or JSON rows in place. Steps FIRST to LAST - 1 are edited.");
    private readonly AtlasArgument _atlas = new("Folder of the atlas with the concepts that --edit names (default: the model's own).");
    private readonly Option<string?> _overlap = Setting.Of<string?>("--overlap", "RULE",
        "Where edits of one site overlap: sum adds them up (the default), cover lets the later one win.");
    private readonly Option<string[]> _reconstruct = Setting.Of<string[]>("--reconstruct", "SITE",
        "Replace what a site adds with its autoencoder's reconstruction; may be repeated.");
    private readonly Option<string[]> _ablate = Setting.Of<string[]>("--ablate", "SITE", "Remove what a site adds; may be repeated.");

    /// <summary>All options but that of the atlas.</summary>
    public IReadOnlyList<Option> Options =>
        [_recipe, _prompt, _negative, _seed, _steps, _guidance, _width, _height, _edits, _overlap, _reconstruct, _ablate];

    /// <summary>These, and the atlas for the concepts that edits name.</summary>
    public IReadOnlyList<Option> All => [.. Options, _atlas.Option];

    /// <summary>Whether the options name a picture.</summary>
    public bool AreNamed(ParseResult parsed) => parsed.GetValue(_recipe) is not null || parsed.GetValue(_prompt) is not null;

    /// <summary>Options that only change a picture that is named.</summary>
    public IReadOnlyList<Option> OfPicture => [_negative, _edits, _overlap, _reconstruct, _ablate];

    public long? Seed(ParseResult parsed) => parsed.GetValue(_seed);

    /// <summary>A model's own settings with the steps, guidance and size of the options.</summary>
    public Recipe ReadSettings(ParseResult parsed, LoadedModel model)
    {
        var settings = Override(parsed, model.Info.NewRecipe(), new RecipeDraft(null, [], []));
        settings.Check();
        return settings;
    }

    /// <summary>Reads and checks everything that needs no model, so that a mistake is reported before a model is loaded.</summary>
    public RecipeDraft ReadDraft(ParseResult parsed)
    {
        var file = parsed.GetValue(_recipe) is { } path ? RecipeOf(path) : null;
        if (file is null && parsed.GetValue(_prompt) is null)
            throw new CliException("say what to make: --prompt TEXT or --recipe FILE.");
        IEnumerable<SiteIntervention> interventions =
        [
            .. Sites(parsed, _reconstruct).Select(site => new SiteIntervention.Reconstruct(site)),
            .. Sites(parsed, _ablate).Select(site => new SiteIntervention.Ablate(site)),
        ];
        var draft = new RecipeDraft(file, [.. (parsed.GetValue(_edits) ?? []).Select(EditArgument.Parse)], [.. interventions]);
        // Masks are checked later: only the model knows their size. The same holds for defaults that the model sets.
        var start = file ?? new Recipe { Model = "model", Prompt = "", Steps = RecipeLimits.MaxSteps };
        Override(parsed, start with { Edits = [.. start.Edits, .. draft.Edits.Select(one => one.Edit)] }, draft).Check();
        return draft;
    }

    /// <summary>The complete recipe for a loaded model.</summary>
    public Recipe Read(ParseResult parsed, RecipeDraft draft, LoadedModel model, ModelArguments arguments)
    {
        var start = model.Info.WithLoras(draft.File ?? model.Info.NewRecipe()) with { Model = model.Info.Name };
        var recipe = Override(parsed, start, draft) with
        {
            Dtype = arguments.Dtype(parsed) ?? start.Dtype,
            Vae = arguments.Vae(parsed) ?? start.Vae,
        };
        var concepts = new Lazy<IReadOnlyList<Concept>>(() =>
            _atlas.Find(parsed, arguments) is { } folder ? AtlasReader.Open(folder).Concepts : []);
        var edits =
            from one in draft.Edits
            from edit in one.Concept is { } named ? named.Edits(concepts.Value, one.Edit, model.Info) : [one.Edit]
            select one.Mask is { } mask ? edit with { Mask = MaskFile.Read(mask, recipe, GridOf(edit.Site, recipe, model)) } : edit;
        return (recipe with { Edits = [.. recipe.Edits, .. edits] }).Check().Recipe;
    }

    private Recipe Override(ParseResult parsed, Recipe start, RecipeDraft draft) => start with
    {
        Prompt = parsed.GetValue(_prompt) ?? start.Prompt,
        NegativePrompt = parsed.GetValue(_negative) ?? start.NegativePrompt,
        Seed = parsed.GetValue(_seed) ?? start.Seed,
        Steps = parsed.GetValue(_steps) ?? start.Steps,
        Guidance = parsed.GetValue(_guidance) ?? start.Guidance,
        Overlap = NamedValue.Parse<Overlap>(_overlap.Name, parsed.GetValue(_overlap)) ?? start.Overlap,
        Width = parsed.GetValue(_width) ?? start.Width,
        Height = parsed.GetValue(_height) ?? start.Height,
        Interventions = [.. start.Interventions, .. draft.Interventions],
    };

    private static (int Rows, int Columns) GridOf(Site site, Recipe recipe, LoadedModel model) => model.Info.Find(site) is { } sae
        ? sae.Grid(recipe.Width, recipe.Height)
        : throw new CliException($"there is no sparse autoencoder for {site}; use --saes to name a folder that has one.");

    // Duplicates are kept, because the recipe's check reports them.
    private static IEnumerable<Site> Sites(ParseResult parsed, Option<string[]> option) =>
        (parsed.GetValue(option) ?? []).Select(code => SiteArgument.Parse(option.Name, code));

    private static Recipe RecipeOf(string path)
    {
        var bytes = InputFile.Read(path, LargestRecipe);
        try
        {
            var json = Png.IsPng(bytes)
                ? Png.FindText(bytes, Recipe.PngKeyword) ?? throw new CliException($"the picture {path} carries no recipe.")
                : InputFile.Text(path, bytes, "a recipe is JSON in UTF-8, or a PNG that contains one");
            return Recipe.FromJson(json);
        }
        catch (Exception error) when (error is RecipeException or PictureException)
        {
            throw new CliException(error is RecipeException { Errors: [{ Field: "recipe", Message: var whole }] }
                ? $"the recipe {path} {whole}"
                : $"the recipe {path}: {error.Message}");
        }
    }
}

/// <summary>What the command line says about a recipe, before a model is loaded.</summary>
/// <param name="File">The recipe of <c>--recipe</c>; null without one.</param>
/// <param name="Edits">Edits to add to it.</param>
/// <param name="Interventions">Interventions to add to it.</param>
internal sealed record RecipeDraft(Recipe? File, IReadOnlyList<EditArgument> Edits, IReadOnlyList<SiteIntervention> Interventions);
