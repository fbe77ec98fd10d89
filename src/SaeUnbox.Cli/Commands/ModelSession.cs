using SaeUnbox.Cli.Output;
using SaeUnbox.Contracts;
using SaeUnbox.Inference;

namespace SaeUnbox.Cli.Commands;

/// <summary>What the commands that run a model share.</summary>
internal static class ModelSession
{
    private const int LongestWarning = 300;

    public static LoadedModel Load(Terminal terminal, ModelOptions options) =>
        terminal.WithProgress("loading the model", _ => LoadedModel.Load(options));

    public static RunOutcome Run(Terminal terminal, LoadedModel model, Recipe recipe, RunRequest request, CancellationToken cancellation)
    {
        RecipeFit.Require(recipe, model);
        // Words that the text encoders cannot see are no error, but nobody should wonder why they did nothing.
        if (model.Pipeline.PromptEncoder.Tokenize(recipe.Prompt).First.Warning is { } warning) terminal.Note(Line.Quote(warning, LongestWarning));
        using var runner = new RecipeRunner(model, prefixes: 1);
        return terminal.WithProgress("generating", progress => runner.Run(
            recipe, request with { Progress = (done, all) => progress.Report(new(done, all)) }, cancellation));
    }
}
