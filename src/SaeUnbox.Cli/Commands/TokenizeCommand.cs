namespace SaeUnbox.Cli.Commands;

/// <summary><c>tokenize</c>: shows the tokens that the text encoders see.</summary>
internal static class TokenizeCommand
{
    public static Command Create(Terminal terminal)
    {
        var text = new Argument<string>("TEXT") { Description = "The prompt." };
        var model = Setting.Required<string?>("--model", "PATH", "A model, a folder or one file, or the folder of one tokenizer.");
        var tokenizer = InputPath.Tokenizer();
        var plain = Setting.Switch("--no-ftfy", "Clean the text as the reference does without the Python package ftfy.");
        var json = Setting.Switch("--json", "Print ids, pieces and lengths as JSON.");
        return terminal.NewCommand("tokenize", "Show the tokens of a prompt.", [text, model, tokenizer, plain, json], (parsed, _) =>
        {
            var cleaning = parsed.GetValue(plain) ? TextCleaning.Basic : TextCleaning.Ftfy;
            var prompt = parsed.GetRequiredValue(text);
            var tokenizers = SteerableModels.Tokenizers(
                InputPath.Read(parsed, model)!, cleaning, InputFolder.Read(parsed, tokenizer));
            var results = tokenizers.Select(one => (one.Name, one.Tokenizer.Tokenize(prompt))).ToList();
            terminal.Output.Write(parsed.GetValue(json) ? Json.Text(Node(results)) + Environment.NewLine : Text(results));
        });
    }

    private static string Text(IEnumerable<(string Name, TokenizedPrompt Prompt)> results)
    {
        var text = new StringBuilder();
        foreach (var (name, prompt) in results)
        {
            var warning = prompt.Warning is { } message ? $"; {message}" : "";
            text.AppendLine(CultureInfo.InvariantCulture, $"{name}: {prompt.Length} tokens with start and end{warning}");
            text.AppendLine("  " + string.Join(' ', prompt.Pieces));
            text.AppendLine("  " + string.Join(' ', prompt.Ids));
        }
        return text.ToString();
    }

    private static object Node(IEnumerable<(string Name, TokenizedPrompt Prompt)> results) => results.ToDictionary(
        result => result.Name, result => new
        {
            length = result.Prompt.Length,
            ids = result.Prompt.Ids,
            pieces = result.Prompt.Pieces,
            ignored = result.Prompt.Ignored,
        });
}
