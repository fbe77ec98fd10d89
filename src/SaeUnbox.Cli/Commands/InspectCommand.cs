using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>inspect</c>: describes a checkpoint or a folder, without loading tensors or running anything in it.</summary>
internal static class InspectCommand
{
    public static Command Create(Terminal terminal)
    {
        var path = new Argument<string>("PATH") { Description = "A checkpoint file (safetensors, PyTorch) or a folder." };
        var all = Setting.Switch("--all", "Also list the tensors of a folder's parts.");
        var json = Setting.Switch("--json", "Print everything as JSON.");
        var command = new Command("inspect", "Describe a checkpoint or folder: kind, keys, shapes, dtypes.") { path, all, json };
        command.SetGuardedAction(terminal, (parsed, cancellation) =>
        {
            var found = Inspect(terminal, parsed.GetRequiredValue(path), cancellation);
            terminal.Output.Write(parsed.GetValue(json) ? Json.Text(Node(found)) + Environment.NewLine : Text(found, parsed.GetValue(all)));
        });
        return command;
    }

    private static Inspection Inspect(Terminal terminal, string path, CancellationToken cancellation) =>
        terminal.WithProgress("inspecting", bar =>
    {
        var work = new LongWork(terminal, bar);
        return InspectDictionary.TryRead(path, Report) ?? Inspection.Read(path, Report);

        void Report(string file, double share)
        {
            cancellation.ThrowIfCancellationRequested();
            work.Report(Math.Round(100 * share), 100, () => $"checking {Path.GetFileName(file)}");
        }
    });

    private static string Text(Inspection found, bool all)
    {
        var text = new StringBuilder();
        Append(text, found, 0, tensors: true, all);
        return text.ToString();
    }

    private static void Append(StringBuilder text, Inspection found, int depth, bool tensors, bool all)
    {
        var indent = new string(' ', depth * 2);
        var name = depth == 0 ? found.Path : Path.GetFileName(found.Path);
        text.Append(CultureInfo.InvariantCulture, $"{indent}{name}: {found.Title}");
        if (found.Format is { } format)
            text.Append(CultureInfo.InvariantCulture, $", {format}");
        if (found.Parameters > 0)
            text.Append(CultureInfo.InvariantCulture, $", {found.Parameters:N0} values");
        if (found.Tensors.Count > 0)
            text.Append(CultureInfo.InvariantCulture, $" in {found.Tensors.Count} tensors");
        text.AppendLine();
        foreach (var (key, value) in found.Facts)
            text.AppendLine(CultureInfo.InvariantCulture, $"{indent}  {key} = {value}");
        if (tensors || all)
            foreach (var tensor in found.Tensors)
            {
                text.Append(CultureInfo.InvariantCulture, $"{indent}  {tensor.Name}  {tensor.DType} [{string.Join(", ", tensor.Shape)}]");
                if (tensor.Strides is { } strides)
                    text.Append(CultureInfo.InvariantCulture, $" strides [{string.Join(", ", strides)}]");
                text.AppendLine();
            }
        foreach (var part in found.Parts)
            Append(text, part, depth + 1, tensors: false, all);
    }

    private static JsonObject Node(Inspection found) => new()
    {
        ["path"] = found.Path,
        ["kind"] = found.Kind.ToString(),
        ["title"] = found.Title,
        ["format"] = found.Format,
        ["values"] = found.Parameters,
        ["facts"] = new JsonObject(found.Facts.Select(fact => KeyValuePair.Create(fact.Key, (JsonNode?)fact.Value))),
        ["tensors"] = new JsonArray([.. found.Tensors.Select(tensor => (JsonNode)new JsonObject
        {
            ["name"] = tensor.Name,
            ["dtype"] = tensor.DType,
            ["shape"] = Numbers(tensor.Shape),
            ["strides"] = tensor.Strides is { } strides ? Numbers(strides) : null,
        })]),
        ["parts"] = new JsonArray([.. found.Parts.Select(part => (JsonNode)Node(part))]),
    };

    private static JsonArray Numbers(IReadOnlyList<long> numbers) => new([.. numbers.Select(number => (JsonNode)number)]);
}
