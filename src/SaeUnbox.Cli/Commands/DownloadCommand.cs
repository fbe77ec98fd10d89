using System.CommandLine;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using SaeUnbox.Cli.Download;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>download</c>: real weights from a model hub, resumable and checked.</summary>
internal static class DownloadCommand
{
    private const string DefaultHost = "https://huggingface.co";
    private const string HostVariable = "SAEUNBOX_HUB";
    private const string TokenVariable = "SAEUNBOX_HUB_TOKEN";
    private const string Turbo = "stabilityai/sdxl-turbo";
    private const string TurboSaes = "surokpro2/sdxl-saes";
    private const string TinyVae = "madebyollin/taesdxl";

    public static Command Create(Terminal terminal)
    {
        var output = new Option<string>("--out", "-o") { Description = "The folder to put them in: each repository in a folder of its name.", HelpName = "DIR", Required = true };
        var repository = new Option<string[]>("--repo") { Description = $"OWNER/NAME; may be given several times (default: {Turbo} and {TurboSaes}).", HelpName = "NAME" };
        var tiny = new Option<bool>("--tiny-vae") { Description = $"Also the small decoder, {TinyVae}, as vae_tiny beside the model: for generate --vae tiny." };
        var full = new Option<bool>("--full-precision") { Description = "Take float32 weights where there are half precision ones, too." };
        var revision = new Option<string>("--revision") { Description = "Branch, tag or commit.", DefaultValueFactory = _ => "main" };
        var host = new Option<string>("--host") { Description = $"The hub; {HostVariable} sets it, too. A token, where it asks for one, comes from {TokenVariable}.", HelpName = "URL", DefaultValueFactory = _ => Environment.GetEnvironmentVariable(HostVariable) is { Length: > 0 } set ? set : DefaultHost };
        var json = new Option<bool>("--json") { Description = "Print the folders and files as JSON." };
        var command = new Command("download", "Fetch real weights; what is there already is checked and kept, a broken download goes on where it stopped.") { output, repository, tiny, full, revision, host, json };
        command.SetGuardedAction(terminal, async (parsed, cancellation) =>
        {
            var folder = parsed.GetRequiredValue(output);
            OutputFile.RequireFolder(folder, "--out");
            var names = parsed.GetValue(repository) is { Length: > 0 } given ? given : [Turbo, TurboSaes];
            foreach (var name in names)
                if (name.Split('/').Length != 2 || !Selection.IsSafe(name)) throw new CliException($"--repo {Line.Quote(name)}: it is written OWNER/NAME.");
            var selections = names.Select(name => name switch
            {
                TurboSaes => Selection.Saes(name),
                Turbo => Selection.Model(name, !parsed.GetValue(full)),
                _ => Selection.All(name),
            });
            if (parsed.GetValue(tiny)) selections = selections.Append(Selection.TinyVae(TinyVae));

            using var client = NewClient();
            var hub = new Hub(client, Address(parsed.GetRequiredValue(host)));
            var fetched = new JsonArray();
            foreach (var selection in selections.DistinctBy(selection => selection.Folder))
            {
                var files = await DownloadAsync(terminal, hub, selection, parsed.GetRequiredValue(revision), folder, cancellation);
                var target = Path.Combine(folder, selection.Folder);
                fetched.Add(new JsonObject { ["repository"] = selection.Repository, ["folder"] = target, ["files"] = new JsonArray([.. files.Select(file => (JsonNode)file.Path)]) });
                if (!parsed.GetValue(json)) terminal.Output.WriteLine(target);
            }
            if (parsed.GetValue(json)) terminal.Output.WriteLine(Json.Text(fetched));
        });
        return command;
    }

    private static async Task<IReadOnlyList<HubFile>> DownloadAsync(
        Terminal terminal, Hub hub, Selection selection, string revision, string folder, CancellationToken cancellation)
    {
        var files = selection.Choose(await hub.ListAsync(selection.Repository, revision, cancellation));
        if (files.Count == 0) throw new CliException($"{selection.Repository} holds none of the files looked for.");
        if (files.FirstOrDefault(file => !Selection.IsSafe(file.Path)) is { } unsafeFile)
            throw new CliException($"{selection.Repository} lists the path '{Line.Quote(unsafeFile.Path)}', which would leave the folder; nothing was fetched.");
        var target = Path.Combine(folder, selection.Folder);
        var fetch = new Fetch(hub, selection.Repository, revision);
        var total = files.Sum(file => (double)file.Size);
        return await terminal.WithProgressAsync(selection.Repository, async progress =>
        {
            double done = 0;
            foreach (var file in files)
            {
                progress.Report(new(done, total, file.Path));
                await fetch.RunAsync(file, Path.Combine(target, file.Path), have => progress.Report(new(done + have, total)), cancellation);
                done += file.Size;
            }
            return files;
        });
    }

    private static HttpClient NewClient()
    {
        var client = new HttpClient { Timeout = Timeout.InfiniteTimeSpan }; // a file of gigabytes has no time limit; silence has one
        client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("saeunbox", "1"));
        if (Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } token) client.DefaultRequestHeaders.Authorization = new("Bearer", token);
        return client;
    }

    private static Uri Address(string host) =>
        Uri.TryCreate(host.TrimEnd('/') + "/", UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            ? address
            : throw new CliException($"--host {Line.Quote(host)}: no address such as {DefaultHost}.");
}
