using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary>What the commands that run a model share.</summary>
internal static class ModelSession
{
    private const int LongestWarning = 300;

    public static LoadedModel Load(Terminal terminal, ModelOptions options, CancellationToken cancellation)
    {
        const string title = "loading the model";
        return terminal.WithProgress(title, bar =>
        {
            IProgress<double> told = new Share(new LongWork(terminal, bar), title);
            return LoadedModel.Load(options, told.Report, cancellation);
        });
    }

    public static RunOutcome Run(Terminal terminal, LoadedModel model, Recipe recipe, RunRequest request, CancellationToken cancellation)
    {
        RecipeFit.Require(recipe, model);
        // Words that the text encoders cannot see are no error, but nobody should wonder why they did nothing.
        if (model.Pipeline.PromptEncoder.Tokenize(recipe.Prompt).First.Warning is { } warning) terminal.Note(Line.Quote(warning, LongestWarning));
        foreach (var edit in recipe.Edits.Where(edit => edit.Mask is { IsBlank: true }))
            terminal.Note($"the mask of the edit {edit.Site}:{edit.Feature} is blank: the edit changes nothing.");
        using var runner = new RecipeRunner(model, prefixes: 1);
        return terminal.WithProgress("generating", progress => runner.Run(
            recipe, request with { Progress = (done, all) => progress.Report(new(done, all)) }, cancellation));
    }
}
