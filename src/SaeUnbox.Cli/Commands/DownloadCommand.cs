using System.Net.Http.Headers;
using SaeUnbox.Cli.Download;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>download</c>: fetches weights from a model hub. It can be resumed, and verifies checksums.</summary>
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
        var output = Setting.Output("DIR", "Folder that gets a folder for each repository.");
        var repository = Setting.Of<string[]>("--repo", "NAME",
            $"A repository, as OWNER/NAME; may be repeated (default: {Turbo} and {TurboSaes}).");
        var tiny = Setting.Switch("--tiny-vae", $"Also fetch the small decoder, {TinyVae}, as vae_tiny next to the model, for --vae tiny.");
        var full = Setting.Switch("--full-precision", "Fetch float32 weights even if there are half precision weights.");
        var revision = Setting.Of("--revision", "NAME", "Branch, tag or commit.", "main");
        var host = Setting.Of("--host", "URL",
            $"Address of the hub; also set by {HostVariable}. {TokenVariable} holds the token for repositories that need one.",
            Environment.GetEnvironmentVariable(HostVariable) is { Length: > 0 } set ? set : DefaultHost);
        var json = Setting.Switch("--json", "Print the folders and files as JSON.");
        return terminal.NewCommand("download", "Fetch weights. Files that exist are verified and kept; a broken download is resumed.",
            [output, repository, tiny, full, revision, host, json], async (parsed, cancellation) =>
        {
            var folder = parsed.GetRequiredValue(output);
            OutputFile.RequireFolder(folder, "--out");
            var names = parsed.GetValue(repository) is { Length: > 0 } given ? given : [Turbo, TurboSaes];
            foreach (var name in names)
                if (name.Split('/').Length != 2 || !Selection.IsSafe(name))
                    throw new CliException($"--repo {Line.Quote(name)}: write OWNER/NAME.");
            var selections = names.Select(name =>
                name == TurboSaes ? Selection.Saes(name) : Selection.All(name, !parsed.GetValue(full)));
            if (parsed.GetValue(tiny))
                selections = selections.Append(Selection.TinyVae(TinyVae));

            using var client = NewClient();
            var hub = new Hub(client, Address(parsed.GetRequiredValue(host)));
            var fetched = new JsonArray();
            foreach (var selection in selections.DistinctBy(selection => selection.Folder))
            {
                var files = await DownloadAsync(terminal, hub, selection, parsed.GetRequiredValue(revision), folder, cancellation);
                var target = Path.Combine(folder, selection.Folder);
                fetched.Add(new JsonObject
                {
                    ["repository"] = selection.Repository,
                    ["folder"] = target,
                    ["files"] = new JsonArray([.. files.Select(file => (JsonNode)file.Path)]),
                });
                if (!parsed.GetValue(json))
                    terminal.Output.WriteLine(target);
            }
            if (parsed.GetValue(json))
                terminal.Output.WriteLine(Json.Text(fetched));
        });
    }

    private static async Task<IReadOnlyList<HubFile>> DownloadAsync(
        Terminal terminal, Hub hub, Selection selection, string revision, string folder, CancellationToken cancellation)
    {
        var files = selection.Choose(await hub.ListAsync(selection.Repository, revision, cancellation));
        if (files.Count == 0)
            throw new CliException($"{selection.Repository} contains none of the expected files.");
        if (files.FirstOrDefault(file => !Selection.IsSafe(file.Path)) is { } unsafeFile)
            throw new CliException($"{selection.Repository} lists the path '{Line.Quote(unsafeFile.Path)}', which would leave the folder; "
                + "nothing was fetched.");
        var target = Path.Combine(folder, selection.Folder);
        var fetch = new Fetch(hub, selection.Repository, revision);
        var total = files.Sum(file => (double)file.Size);
        return await terminal.WithProgressAsync(selection.Repository, async progress =>
        {
            double done = 0;
            foreach (var file in files)
            {
                progress.Show(done, total, file.Path);
                await fetch.RunAsync(file, Path.Combine(target, file.Path), have => progress.Show(done + have, total), cancellation);
                done += file.Size;
            }
            return files;
        });
    }

    private static HttpClient NewClient()
    {
        // Large files take long, so there is no limit on the whole download; a stalled connection still times out.
        var client = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("saeunbox", "1"));
        if (Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } token)
            client.DefaultRequestHeaders.Authorization = new("Bearer", token);
        return client;
    }

    private static Uri Address(string host) =>
        Uri.TryCreate(host.TrimEnd('/') + "/", UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            ? address
            : throw new CliException($"--host {Line.Quote(host)}: use an address such as {DefaultHost}.");
}
