namespace SaeUnbox.Cli.Commands;

/// <summary><c>generate</c>: makes a picture from a recipe, as a PNG that contains the recipe.</summary>
internal static class GenerateCommand
{
    public static Command Create(Terminal terminal)
    {
        var model = new ModelArguments(DtypeChoice.Auto);
        var recipe = new RecipeArguments();
        var output = Setting.Output("FILE", "The PNG to write. It contains the recipe.");
        var dump = Setting.Of<string?>("--dump", "FILE",
            "Also write the tensors of the run to this safetensors file: text.hidden, text.pooled, noise, step.N.latents, latents, image, "
            + "and SITE.input and SITE.output of every site with an autoencoder (without any, of the sites that have a name, such as the "
            + "four of the demo).");
        var json = Setting.Switch("--json", "Print the files, the recipe and the seconds of each stage as JSON.");
        return terminal.NewCommand("generate", "Make a picture, with features painted in.",
            [.. model.Options, .. recipe.All, output, dump, json], (parsed, cancellation) =>
        {
            var (path, dumpPath) = (parsed.GetRequiredValue(output), parsed.GetValue(dump));
            OutputFile.Require(path, "--out");
            if (dumpPath is not null)
                OutputFile.Require(dumpPath, "--dump");
            if (dumpPath is not null && Path.GetFullPath(dumpPath) == Path.GetFullPath(path))
                throw new CliException($"--dump {dumpPath}: this is also the file of the picture; choose another.");
            var draft = recipe.ReadDraft(parsed);
            using var loaded = ModelSession.Load(terminal, model.Read(parsed, draft.File), cancellation);
            var made = recipe.Read(parsed, draft, loaded, model);
            if (draft.File is { } file && file.Model != made.Model)
                terminal.Note($"the recipe was made with the model '{file.Model}'; it runs on '{made.Model}'.");
            if (draft.File is { } own && !RecipeLora.AreSame(own.Loras, made.Loras))
                terminal.Note(
                    $"the recipe was made with {RecipeLora.Describe(own.Loras)}; it runs with {RecipeLora.Describe(made.Loras)}.");

            using var recorder = dumpPath is null ? null : new RunRecorder(SitesToDump(loaded));
            var outcome = ModelSession.Run(terminal, loaded, made, new RunRequest { Recorder = recorder }, cancellation);
            recorder?.Save(dumpPath!);
            OutputFile.Write(path, PictureFile.Png(outcome.Picture!, made));
            terminal.Output.WriteLine(parsed.GetValue(json) ? Json.Text(RunReport.Of(made, outcome, path, dumpPath)) : path);
        });
    }

    private static IReadOnlyList<Site> SitesToDump(LoadedModel model) => model.Saes.Count > 0
        ? [.. model.Saes.Keys]
        : model.Model.KnownSites();
}

/// <summary>Loads and runs models for commands.</summary>
internal static class ModelSession
{
    private const int LongestWarning = 300;

    public static LoadedModel Load(Terminal terminal, ModelOptions options, CancellationToken cancellation)
    {
        const string title = "loading the model";
        // A line written meanwhile would break the progress bar.
        var notes = new List<string>();
        var model = terminal.WithProgress(title, work =>
            LoadedModel.Load(options with { Note = notes.Add }, share => work.Report(share, title), cancellation));
        notes.ForEach(terminal.Note);
        return model;
    }

    /// <summary>
    /// Runs a recipe. Notes tell of words beyond the text encoders' limit, and of masks that paint nothing or everything.
    /// </summary>
    public static RunOutcome Run(Terminal terminal, LoadedModel model, Recipe recipe, RunRequest request, CancellationToken cancellation)
    {
        RecipeFit.Require(recipe, model);
        if (model.Model.WarnAbout(recipe.Prompt) is { } warning)
            terminal.Note(Line.Quote(warning, LongestWarning));
        foreach (var edit in recipe.Edits.Where(edit => edit.Mask is { IsBlank: true }))
            terminal.Note($"the mask of the edit {edit.Site}:{edit.Feature} is blank: the edit changes nothing.");
        foreach (var edit in recipe.Edits.Where(edit => edit.Mask is { IsNowhereEmpty: true }))
            terminal.Note($"the mask of the edit {edit.Site}:{edit.Feature} is nowhere empty: the edit changes every part of the picture.");
        using var runner = new RecipeRunner(model, prefixes: 1);
        return terminal.WithProgress("generating", work => runner.Run(
            recipe, request with { Progress = (done, all) => work.Show(done, all) }, cancellation));
    }
}

/// <summary>Encodes a picture as a PNG that contains its recipe.</summary>
internal static class PictureFile
{
    public static byte[] Png(Picture picture, Recipe recipe) =>
        Core.Png.Encode(picture, new Dictionary<string, string> { [Recipe.PngKeyword] = recipe.ToJson() });
}

/// <summary>What <c>--json</c> prints about a run: the files, the recipe, and the seconds of each stage.</summary>
internal static class RunReport
{
    public static object Of(Recipe recipe, RunOutcome outcome, string picture, string? dump = null) => new
    {
        @out = picture,
        dump,
        recipe,
        seconds = outcome.Timings.ToDictionary(timing => timing.Stage, timing => Math.Round(timing.Duration.TotalSeconds, 4)),
    };
}

/// <summary><c>icon</c>: draws a feature without a prompt; the feature replaces what its site adds, everywhere.</summary>
internal static class IconCommand
{
    public static Command Create(Terminal terminal)
    {
        var model = new ModelArguments(DtypeChoice.Auto);
        var site = Setting.Required<string>("--site", "SITE", "The site, such as down.2.1.");
        var feature = Setting.Required<int>("--feature", "N", "The feature's number, counted from 0.");
        var seed = Setting.Of("--seed", "N", "Seed of the noise, 0 to 2^63-1.", 42L);
        var output = Setting.Output("FILE", "The PNG to write. It contains the recipe.");
        var json = Setting.Switch("--json", "Print the file, the recipe and the seconds of each stage as JSON.");
        return terminal.NewCommand("icon", "Draw a feature on its own: without a prompt, and with nothing but the feature at its site.",
            [.. model.Options, site, feature, seed, output, json], (parsed, cancellation) =>
        {
            var path = parsed.GetRequiredValue(output);
            OutputFile.Require(path, "--out");
            var place = SiteArgument.Parse("--site", parsed.GetRequiredValue(site));
            using var loaded = ModelSession.Load(terminal, model.Read(parsed, null), cancellation);
            var recipe = loaded.Info.NewRecipe() with
            {
                Seed = parsed.GetValue(seed),
                Dtype = model.Dtype(parsed),
                Vae = model.Vae(parsed),
                Interventions = [new SiteIntervention.Icon(place, parsed.GetRequiredValue(feature))],
            };
            var outcome = ModelSession.Run(terminal, loaded, recipe, new RunRequest(), cancellation);
            OutputFile.Write(path, PictureFile.Png(outcome.Picture!, recipe));
            terminal.Output.WriteLine(parsed.GetValue(json) ? Json.Text(RunReport.Of(recipe, outcome, path)) : path);
        });
    }
}
