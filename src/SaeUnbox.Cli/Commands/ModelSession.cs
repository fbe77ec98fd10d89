using SaeUnbox.Cli.Output;
using SaeUnbox.Contracts;
using SaeUnbox.Inference;

namespace SaeUnbox.Cli.Commands;

/// <summary>What the commands that run a model share.</summary>
internal static class ModelSession
{
    public static LoadedModel Load(ModelOptions options) => Terminal.WithProgress("loading the model", _ => LoadedModel.Load(options));

    /// <summary>Says which words of a prompt the text encoders cannot see.</summary>
    public static void WarnOfLongPrompt(LoadedModel model, Recipe recipe)
    {
        if (model.Pipeline.PromptEncoder.Tokenize(recipe.Prompt).First.Warning is { } warning) Terminal.Note($"saeunbox: {warning}");
    }
}
