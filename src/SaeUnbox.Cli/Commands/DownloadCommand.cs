using System.CommandLine;
using System.Net.Http.Headers;
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

    public static Command Create()
    {
        var output = new Option<string>("--out") { Description = "The folder to put them in.", HelpName = "DIR", Required = true };
        var repository = new Option<string[]>("--repo") { Description = $"OWNER/NAME; may be given several times (default: {Turbo} and {TurboSaes}).", HelpName = "NAME" };
        var full = new Option<bool>("--full-precision") { Description = "Take float32 weights where there are half precision ones, too." };
        var revision = new Option<string>("--revision") { Description = "Branch, tag or commit (default: main).", DefaultValueFactory = _ => "main" };
        var host = new Option<string>("--host") { Description = $"The hub (default: {HostVariable}, or {DefaultHost}).", HelpName = "URL", DefaultValueFactory = _ => Environment.GetEnvironmentVariable(HostVariable) is { Length: > 0 } set ? set : DefaultHost };
        var command = new Command("download", "Fetch real weights; what is there already is checked and kept, a broken download goes on where it stopped.") { output, repository, full, revision, host };
        command.Runs(async (parsed, cancellation) =>
        {
            var folder = parsed.GetRequiredValue(output);
            if (File.Exists(folder)) throw new CliException($"--out {folder}: that is a file; a folder is expected.");
            var names = parsed.GetValue(repository) is { Length: > 0 } given ? given : [Turbo, TurboSaes];
            foreach (var name in names)
                if (name.Split('/') is not [{ Length: > 0 }, { Length: > 0 }] || !Selection.IsSafe(name)) throw new CliException($"--repo {name}: it is written OWNER/NAME.");
            using var client = NewClient();
            var hub = new Hub(client, Address(parsed.GetRequiredValue(host)));
            foreach (var name in names)
            {
                var selection = name == TurboSaes ? Selection.Saes(name) : name == Turbo ? Selection.Model(name, !parsed.GetValue(full)) : Selection.All(name);
                await DownloadAsync(hub, selection, parsed.GetRequiredValue(revision), folder, cancellation);
            }
        });
        return command;
    }

    private static async Task DownloadAsync(Hub hub, Selection selection, string revision, string folder, CancellationToken cancellation)
    {
        var files = selection.Choose(await hub.ListAsync(selection.Repository, revision, cancellation));
        if (files.Count == 0) throw new CliException($"{selection.Repository} holds none of the files looked for.");
        if (files.FirstOrDefault(file => !Selection.IsSafe(file.Path)) is { } unsafeFile)
            throw new CliException($"{selection.Repository} lists the path '{unsafeFile.Path}', which would leave the folder; nothing was fetched.");
        var target = Path.Combine(folder, selection.Folder);
        var fetch = new Fetch(hub, selection.Repository, revision);
        var total = files.Sum(file => file.Size);
        await Terminal.WithProgressAsync(selection.Repository, async progress =>
        {
            long done = 0;
            foreach (var file in files)
            {
                var path = Path.Combine(target, file.Path);
                progress.Report(new(done, total, file.Path));
                if (!await Fetch.IsThereAsync(file, path, cancellation))
                    await fetch.RunAsync(file, path, have => progress.Report(new(done + have, total)), cancellation);
                done += file.Size;
            }
        });
        Console.Out.WriteLine(target);
    }

    private static HttpClient NewClient()
    {
        var client = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("saeunbox", "1"));
        if (Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } token) client.DefaultRequestHeaders.Authorization = new("Bearer", token);
        return client;
    }

    private static Uri Address(string host) =>
        Uri.TryCreate(host.TrimEnd('/') + "/", UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            ? address
            : throw new CliException($"--host {host}: no address such as {DefaultHost}.");
}
