using System.CommandLine;

namespace SaeUnbox.Cli.Options;

/// <summary>What to make: a recipe file, single options, or a file with options that overrule it.</summary>
internal sealed class RecipeArguments
{
    private const long LargestRecipe = 256 << 20;

    private readonly Option<string?> recipe = new("--recipe") { Description = "A recipe: a JSON file, or a PNG that carries one. Other options overrule it; edits are added to its own.", HelpName = "FILE" };
    private readonly Option<string?> prompt = new("--prompt", "-p") { Description = "What the picture shows.", HelpName = "TEXT" };
    private readonly Option<string?> negative = new("--negative") { Description = "What to steer away from, under guidance.", HelpName = "TEXT" };
    private readonly Option<long?> seed = new("--seed") { Description = "Seed of the noise, 0 to 2^63-1 (default 42).", HelpName = "N" };
    private readonly Option<int?> steps = new("--steps") { Description = "Denoising steps (default: what the model is made for: 1 for a turbo model, else 25).", HelpName = "N" };
    private readonly Option<double?> guidance = new("--guidance") { Description = "Guidance scale; up to 1 there is none (default: what the model is made for: 0 for a turbo model, else 8).", HelpName = "X" };
    private readonly Option<int?> width = new("--width") { Description = "Width in pixels, a multiple of 8 (default: what the model is made for).", HelpName = "W" };
    private readonly Option<int?> height = new("--height") { Description = "Height in pixels, a multiple of 8 (default: what the model is made for).", HelpName = "H" };
    private readonly Option<string[]> edits = new("--edit") { Description = $"{EditArgument.Form}; may be given several times. MASK: a PNG of the image's size, or JSON rows (a file or in place). LAST is exclusive.", HelpName = "EDIT" };
    private readonly Option<string[]> reconstruct = new("--reconstruct") { Description = "Replace a site's contribution by its autoencoder's reconstruction; may be given several times.", HelpName = "SITE" };
    private readonly Option<string[]> ablate = new("--ablate") { Description = "Take a site's contribution away; may be given several times.", HelpName = "SITE" };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[recipe, prompt, negative, seed, steps, guidance, width, height, edits, reconstruct, ablate]) command.Add(option);
    }

    /// <summary>What can be read, and told wrong, without a model, so that nobody waits for one in vain.</summary>
    public RecipeDraft ReadDraft(ParseResult parsed)
    {
        var file = parsed.GetValue(recipe) is { } path ? RecipeOf(path) : null;
        if (file is null && parsed.GetValue(prompt) is null) throw new CliException("say what to make: --prompt TEXT or --recipe FILE.");
        IEnumerable<SiteIntervention> interventions =
        [
            .. Sites("--reconstruct", parsed.GetValue(reconstruct)).Select(site => new SiteIntervention.Reconstruct(site)),
            .. Sites("--ablate", parsed.GetValue(ablate)).Select(site => new SiteIntervention.Ablate(site)),
        ];
        var draft = new RecipeDraft(file, [.. (parsed.GetValue(edits) ?? []).Select(EditArgument.Parse)], [.. interventions]);
        // Every field but the masks, whose grids only a model knows, and what is left to the model's own settings.
        var start = file ?? new Recipe { Model = "model", Prompt = "", Steps = RecipeLimits.MaxSteps };
        Overrule(parsed, start with { Edits = [.. start.Edits, .. draft.Edits.Select(edit => edit.ToEdit(null))] }, draft).Check();
        return draft;
    }

    /// <summary>The whole recipe for a loaded model.</summary>
    public Recipe Read(ParseResult parsed, RecipeDraft draft, LoadedModel model, ModelArguments arguments)
    {
        var start = (draft.File ?? model.Info.NewRecipe()) with { Model = model.Info.Name };
        var made = Overrule(parsed, start, draft) with { Dtype = arguments.Dtype(parsed) ?? start.Dtype, Vae = arguments.Vae(parsed) ?? start.Vae };
        var painted = draft.Edits.Select(edit => edit.ToEdit(edit.Mask is { } mask ? MaskFile.Read(mask, made, GridOf(edit.Site, made, model)) : null));
        return (made with { Edits = [.. made.Edits, .. painted] }).Check().Recipe;
    }

    private Recipe Overrule(ParseResult parsed, Recipe start, RecipeDraft draft) => start with
    {
        Prompt = parsed.GetValue(prompt) ?? start.Prompt,
        NegativePrompt = parsed.GetValue(negative) ?? start.NegativePrompt,
        Seed = parsed.GetValue(seed) ?? start.Seed,
        Steps = parsed.GetValue(steps) ?? start.Steps,
        Guidance = parsed.GetValue(guidance) ?? start.Guidance,
        Width = parsed.GetValue(width) ?? start.Width,
        Height = parsed.GetValue(height) ?? start.Height,
        Interventions = [.. start.Interventions, .. draft.Interventions],
    };

    private static (int Rows, int Columns) GridOf(HookSite site, Recipe recipe, LoadedModel model) => model.Info.Find(site) is { } sae
        ? sae.Grid(recipe.Width, recipe.Height)
        : throw new CliException($"there is no sparse autoencoder for {site}; give a folder that has one with --saes.");

    private static IEnumerable<HookSite> Sites(string option, string[]? codes) => (codes ?? []).Select(code => SiteArgument.Parse(option, code));

    private static Recipe RecipeOf(string path)
    {
        var bytes = InputFile.Read(path, LargestRecipe);
        try
        {
            var json = Png.IsPng(bytes)
                ? Png.FindText(bytes, Recipe.PngKeyword) ?? throw new CliException($"the picture {path} carries no recipe.")
                : InputFile.Text(path, bytes);
            return Recipe.FromJson(json);
        }
        catch (Exception error) when (error is RecipeException or PictureException)
        {
            throw new CliException($"the recipe {path}: {error.Message}");
        }
    }
}

/// <summary>A recipe as the words alone tell it.</summary>
/// <param name="File">The recipe file's recipe.</param>
/// <param name="Edits">Edits to add to it.</param>
/// <param name="Interventions">Interventions to add to it.</param>
internal sealed record RecipeDraft(Recipe? File, IReadOnlyList<EditArgument> Edits, IReadOnlyList<SiteIntervention> Interventions);
