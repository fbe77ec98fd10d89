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
        if (model.Pipeline.PromptEncoder.IgnoredWords(recipe.Prompt) is { Length: > 0 } ignored)
            Terminal.Note($"saeunbox: the prompt is too long for the text encoders; this is ignored: {(ignored.Length <= 200 ? ignored : ignored[..197] + "...")}");
    }
}
