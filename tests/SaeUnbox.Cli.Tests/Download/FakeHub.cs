using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace SaeUnbox.Cli.Tests;

/// <summary>A local model hub with configurable faults.</summary>
internal sealed class FakeHub : IAsyncDisposable
{
    private const string LastPage = "cursor";
    private readonly WebApplication _server;
    private readonly Dictionary<string, SortedDictionary<string, byte[]>> _repositories = [];

    private FakeHub()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _server = builder.Build();
        _server.MapGet("/api/models/{owner}/{name}/tree/{revision}", ListAsync);
        _server.MapGet("/{owner}/{name}/resolve/{revision}/{**path}", ServeAsync);
    }

    public string Address => _server.Urls.Single();

    /// <summary>The requested files and ranges.</summary>
    public ConcurrentQueue<(string Path, string? Range)> Requests { get; } = [];

    /// <summary>Answers every file request with this status.</summary>
    public int? Status { get; set; }

    /// <summary>Answers every list request with this status.</summary>
    public int? ListStatus { get; set; }

    /// <summary>Answers every list request with this text.</summary>
    public string? List { get; set; }

    public bool IgnoresRange { get; set; }

    /// <summary>Returns lists in pages of two entries.</summary>
    public bool Pages { get; set; }

    /// <summary>Links to another host for the next page.</summary>
    public string? NextPage { get; set; }

    /// <summary>How many times the connection breaks after half of the requested bytes.</summary>
    public int Breaks { get; set; }

    /// <summary>Sends these bytes instead of a file's content.</summary>
    public Func<byte[], byte[]> Alter { get; set; } = bytes => bytes;

    /// <summary>Runs before the second half of a file is sent.</summary>
    public Func<Task> Halfway { get; set; } = () => Task.CompletedTask;

    public static async Task<FakeHub> StartAsync()
    {
        var hub = new FakeHub();
        await hub._server.StartAsync();
        return hub;
    }

    public byte[] Add(string repository, string path, int size = 1000)
    {
        if (!_repositories.TryGetValue(repository, out var files))
            _repositories[repository] = files = new(StringComparer.Ordinal);
        var bytes = new byte[size];
        new Random(path.Length + size).NextBytes(bytes);
        return files[path] = bytes;
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private async Task ListAsync(HttpContext context, string owner, string name)
    {
        context.Response.StatusCode = ListStatus ?? (_repositories.ContainsKey($"{owner}/{name}") ? 200 : 404);
        if (context.Response.StatusCode != 200)
            return;
        if (NextPage is not null)
            context.Response.Headers.Link = $"<{NextPage}>; rel=\"next\"";
        var entries = _repositories[$"{owner}/{name}"].ToArray();
        if (Pages)
        {
            var first = int.Parse(context.Request.Query[LastPage].FirstOrDefault() ?? "0");
            if (first + 2 < entries.Length)
                context.Response.Headers.Link = $"<{Address}{context.Request.Path}?recursive=true&{LastPage}={first + 2}>; rel=\"next\"";
            entries = [.. entries.Skip(first).Take(2)];
        }
        await context.Response.WriteAsync(List
            ?? JsonSerializer.Serialize(entries.Select(Entry)
                .Prepend(new Dictionary<string, object> { ["type"] = "directory", ["path"] = "unet", ["oid"] = "0", ["size"] = 0 })));
    }

    // Like the real hub, identifies large files by SHA-256 and small ones by git's SHA-1.
    private static Dictionary<string, object> Entry(KeyValuePair<string, byte[]> file)
    {
        var git = Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {file.Value.Length}\0"), .. file.Value]));
        var entry = new Dictionary<string, object> { ["type"] = "file", ["path"] = file.Key, ["size"] = file.Value.Length, ["oid"] = git };
        if (!file.Key.EndsWith(".json", StringComparison.Ordinal))
            entry["lfs"] = new { oid = Convert.ToHexStringLower(SHA256.HashData(file.Value)), size = file.Value.Length };
        return entry;
    }

    private async Task ServeAsync(HttpContext context, string owner, string name, string path)
    {
        var range = context.Request.GetTypedHeaders().Range?.Ranges.Single();
        Requests.Enqueue((path, context.Request.Headers.Range));
        if (Status is { } status)
        {
            context.Response.StatusCode = status;
            return;
        }
        var bytes = Alter(_repositories[$"{owner}/{name}"][path]);
        var from = IgnoresRange ? 0 : (int)(range?.From ?? 0);
        if (from > 0)
        {
            context.Response.StatusCode = 206;
            context.Response.Headers.ContentRange = $"bytes {from}-{bytes.Length - 1}/{bytes.Length}";
        }
        context.Response.ContentLength = bytes.Length - from;
        var half = (bytes.Length - from) / 2;
        await context.Response.Body.WriteAsync(bytes.AsMemory(from, half));
        await context.Response.Body.FlushAsync();
        await Halfway();
        if (Breaks-- > 0)
        {
            await Task.Delay(50); // for the first half to leave before the connection does
            context.Abort();
            return;
        }
        await context.Response.Body.WriteAsync(bytes.AsMemory(from + half));
    }
}
