using System.CommandLine;
using SaeUnbox.Contracts;
using SaeUnbox.Inference;
using SaeUnbox.Pictures;

namespace SaeUnbox.Cli.Options;

/// <summary>What to make: a recipe file, single options, or a file with options that overrule it.</summary>
internal sealed class RecipeArguments
{
    private const long LargestRecipe = 256 << 20;

    private readonly Option<string?> recipe = new("--recipe") { Description = "A recipe: a JSON file, or a PNG that carries one. Other options overrule it; edits are added to its own.", HelpName = "FILE" };
    private readonly Option<string?> prompt = new("--prompt", "-p") { Description = "What the picture shows.", HelpName = "TEXT" };
    private readonly Option<string?> negative = new("--negative") { Description = "What to steer away from, under guidance.", HelpName = "TEXT" };
    private readonly Option<long?> seed = new("--seed") { Description = "Seed of the noise, 0 to 2^63-1 (default 42).", HelpName = "N" };
    private readonly Option<int?> steps = new("--steps") { Description = "Denoising steps (default: what the model is made for).", HelpName = "N" };
    private readonly Option<double?> guidance = new("--guidance") { Description = "Guidance scale; up to 1 there is none.", HelpName = "X" };
    private readonly Option<int?> width = new("--width") { Description = "Pixels, a multiple of 8.", HelpName = "W" };
    private readonly Option<int?> height = new("--height") { Description = "Pixels, a multiple of 8.", HelpName = "H" };
    private readonly Option<string[]> edits = new("--edit") { Description = "SITE:FEATURE:STRENGTH[:add|scale][@MASK][#FIRST-LAST]; may be given several times. MASK: a PNG of the image's size, or JSON rows (a file or in place). LAST is exclusive.", HelpName = "EDIT" };
    private readonly Option<string[]> reconstruct = new("--reconstruct") { Description = "Replace a site's contribution by its autoencoder's reconstruction.", HelpName = "SITE" };
    private readonly Option<string[]> ablate = new("--ablate") { Description = "Take a site's contribution away.", HelpName = "SITE" };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[recipe, prompt, negative, seed, steps, guidance, width, height, edits, reconstruct, ablate]) command.Add(option);
    }

    /// <summary>The recipe file's recipe, before any model is loaded.</summary>
    public Recipe? ReadFile(ParseResult parsed)
    {
        if (parsed.GetValue(recipe) is { } path) return RecipeOf(path);
        return parsed.GetValue(prompt) is not null ? null : throw new CliException("say what to make: --prompt TEXT or --recipe FILE.");
    }

    /// <summary>What can be told wrong without a model, so that nobody waits for one in vain.</summary>
    public IReadOnlyList<EditArgument> ReadEdits(ParseResult parsed) => [.. (parsed.GetValue(edits) ?? []).Select(EditArgument.Parse)];

    /// <summary>The whole recipe for a loaded model.</summary>
    public Recipe Read(ParseResult parsed, Recipe? file, IReadOnlyList<EditArgument> painted, LoadedModel model, ModelArguments arguments)
    {
        var start = (file ?? model.Info.NewRecipe()) with { Model = model.Info.Name };
        var made = start with
        {
            Prompt = parsed.GetValue(prompt) ?? start.Prompt,
            NegativePrompt = parsed.GetValue(negative) ?? start.NegativePrompt,
            Seed = parsed.GetValue(seed) ?? start.Seed,
            Steps = parsed.GetValue(steps) ?? start.Steps,
            Guidance = parsed.GetValue(guidance) ?? start.Guidance,
            Width = parsed.GetValue(width) ?? start.Width,
            Height = parsed.GetValue(height) ?? start.Height,
            Dtype = arguments.Dtype(parsed) ?? start.Dtype,
            Vae = arguments.Vae(parsed) ?? start.Vae,
            Interventions = [.. start.Interventions, .. Sites("--reconstruct", parsed.GetValue(reconstruct)).Select(site => new SiteIntervention.Reconstruct(site)), .. Sites("--ablate", parsed.GetValue(ablate)).Select(site => new SiteIntervention.Ablate(site))],
        };
        var added = painted.Select(edit => edit.ToEdit((mask, site) => MaskFile.Read(mask, made, GridOf(site, made, model))));
        return (made with { Edits = [.. made.Edits, .. added] }).EnsureValid();
    }

    private static (int Rows, int Columns) GridOf(HookSite site, Recipe recipe, LoadedModel model) => model.Info.Find(site) is { } sae
        ? sae.Grid(recipe.Width, recipe.Height)
        : throw new CliException($"there is no sparse autoencoder for {site}; give a folder that has one with --saes.");

    private static IEnumerable<HookSite> Sites(string option, string[]? codes) => (codes ?? []).Select(code => HookSite.TryParse(code, out var site)
        ? site
        : throw new CliException($"{option} {code}: no site such as down.2.1, mid.0, up.0.0 or up.0.1."));

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
