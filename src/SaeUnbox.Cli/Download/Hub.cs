using System.Buffers;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace SaeUnbox.Cli.Download;

/// <summary>Client of a model hub: lists the files of a repository, and downloads them from any offset.</summary>
internal sealed class Hub(HttpClient client, Uri host)
{
    private const int LargestPage = 64 << 20;
    private const int MaxPages = 1000;

    /// <summary>Lists the files of a repository at a revision.</summary>
    /// <exception cref="CliException">The repository does not exist, or the response is not that of a model hub.</exception>
    public async Task<IReadOnlyList<HubFile>> ListAsync(string repository, string revision, CancellationToken cancellation)
    {
        var files = new List<HubFile>();
        Uri? page = new(host, $"api/models/{repository}/tree/{Uri.EscapeDataString(revision)}?recursive=true");
        for (var pages = 1; page is not null; pages++)
        {
            if (pages > MaxPages)
                throw NotUnderstood(repository);
            using var response = await SendAsync(new HttpRequestMessage(HttpMethod.Get, page), $"{repository} ({revision})", cancellation);
            try
            {
                await response.Content.LoadIntoBufferAsync(LargestPage, cancellation);
                using var json = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(cancellation));
                files.AddRange(json.RootElement
                    .EnumerateArray()
                    .Where(entry => entry.GetProperty("type").GetString() == "file")
                    .Select(Read));
                page = Next(response);
            }
            catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException
                or HttpRequestException)
            {
                throw NotUnderstood(repository);
            }
        }
        return files;
    }

    /// <summary>Downloads a file from an offset. If the status is not 206, the response starts at 0.</summary>
    public Task<HttpResponseMessage> OpenAsync(string repository, string revision, HubFile file, long offset,
        CancellationToken cancellation)
    {
        var path = string.Join('/', file.Path.Split('/').Select(Uri.EscapeDataString));
        var request =
            new HttpRequestMessage(HttpMethod.Get, new Uri(host, $"{repository}/resolve/{Uri.EscapeDataString(revision)}/{path}"));
        if (offset > 0)
            request.Headers.Range = new(offset, null);
        return SendAsync(request, $"{repository}/{file.Path}", cancellation);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, string what, CancellationToken cancellation)
    {
        HttpResponseMessage response;
        try
        {
            response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        }
        catch (HttpRequestException error)
        {
            throw new CliException($"{host} cannot be reached ({error.Message}); is --host right?");
        }
        if (response.IsSuccessStatusCode)
            return response;
        var status = response.StatusCode;
        response.Dispose();
        throw new CliException(status switch
        {
            HttpStatusCode.NotFound => $"{what} is not on {host}.",
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => $"{host} requires a token for {what}; set SAEUNBOX_HUB_TOKEN.",
            HttpStatusCode.TooManyRequests => $"{host} received too many requests; try again later. Downloaded files are kept.",
            _ => $"{host} answered {(int)status} for {what}.",
        });
    }

    private static HubFile Read(JsonElement entry)
    {
        var sha256 = entry.TryGetProperty("lfs", out var large) && large.ValueKind == JsonValueKind.Object ? Text(large, "oid") : null;
        var file = new HubFile(Text(entry, "path"), entry.GetProperty("size").GetInt64(), sha256, Text(entry, "oid"));
        return file.Size >= 0 ? file : throw new FormatException();
    }

    private static string Text(JsonElement entry, string name) => entry.GetProperty(name).GetString() ?? throw new FormatException();

    // The Link header names the next page of a long list. Only links to the hub itself are followed, because requests may hold a token.
    private Uri? Next(HttpResponseMessage response)
    {
        if (!response.Headers.TryGetValues("Link", out var links))
            return null;
        var next =
            links.SelectMany(link => link.Split(',')).FirstOrDefault(link => link.Contains("rel=\"next\"", StringComparison.Ordinal));
        if (next is null)
            return null;
        if (next.IndexOf('<') is not (>= 0 and var from) || next.IndexOf('>') is var to && to < from)
            throw new FormatException();
        var page = new Uri(host, next[(from + 1)..to]);
        return page.GetLeftPart(UriPartial.Authority) == host.GetLeftPart(UriPartial.Authority) ? page : throw new FormatException();
    }

    private CliException NotUnderstood(string repository) =>
        new($"{host} does not answer like a model hub: its list of {repository} cannot be read.");
}

/// <summary>A file of a model repository.</summary>
/// <param name="Path">Path in the repository, with slashes.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Sha256">Hash of the content of a large file; null for small files, which have only <paramref name="GitId"/>.</param>
/// <param name="GitId">SHA-1 of the git blob, that is of "blob SIZE\0" and the content.</param>
internal sealed record HubFile(string Path, long Size, string? Sha256, string GitId);

/// <summary>The files to download from a repository, and where to put them.</summary>
/// <param name="Repository">OWNER/NAME on the hub.</param>
/// <param name="Folder">Folder under the target.</param>
/// <param name="Patterns">Paths to download; <c>*</c> matches anything except a slash, <c>**</c> matches anything.</param>
/// <param name="Precision">Which file to download if weights exist in both float32 and half precision.</param>
internal sealed record Selection(string Repository, string Folder, IReadOnlyList<string> Patterns,
    WeightPrecision Precision = WeightPrecision.Any)
{
    private const string Weights = ".safetensors";
    private const string HalfWeights = ".fp16" + Weights;

    // Parts of older models that are not used here.
    private static readonly string[] Unused = ["safety_checker/**", "feature_extractor/**", "*/*.non_ema.*"];

    /// <summary>What is downloaded instead if the repository is a pipeline; null for the same.</summary>
    private Selection? OfPipeline { get; init; }

    /// <summary>A pipeline: configurations, tokenizers and weights, without the files of other frameworks.</summary>
    public static Selection Model(string repository, bool half) => new(
        repository, NameOf(repository),
        ["model_index.json", "*/*.json", "tokenizer*/merges.txt", "*/*" + Weights],
        half ? WeightPrecision.Half : WeightPrecision.Full);

    /// <summary>The autoencoders of the original demo for all four sites, with k = 10 and 5120 features.</summary>
    public static Selection Saes(string repository) => new(repository, NameOf(repository), ["unet.*_k10_hidden5120_*/final/*"]);

    /// <summary>An AutoencoderTiny, in the folder where it is found next to a model.</summary>
    public static Selection TinyVae(string repository) =>
        new(repository, "vae_tiny", ["config.json", "diffusion_pytorch_model" + Weights, "diffusion_pytorch_model" + HalfWeights],
            WeightPrecision.Full);

    /// <summary>Everything; of a pipeline what <see cref="Model"/> says.</summary>
    public static Selection All(string repository, bool half) =>
        new(repository, NameOf(repository), ["**"]) { OfPipeline = Model(repository, half) };

    public IReadOnlyList<HubFile> Choose(IReadOnlyList<HubFile> files)
    {
        if (OfPipeline is { } pipeline && files.Any(file => file.Path == "model_index.json"))
            return pipeline.Choose(files);
        var matched = files.Where(file => Patterns.Any(pattern => Matches(pattern, file.Path))).ToList();
        if (Precision == WeightPrecision.Any)
            return matched;
        matched.RemoveAll(file => Unused.Any(pattern => Matches(pattern, file.Path)));
        // NAME.safetensors and NAME.fp16.safetensors are the same weights. If only one exists, it is downloaded.
        var both = matched.Select(file => file.Path).Where(IsHalf).Select(Plain).Intersect(matched.Select(file => file.Path)).ToHashSet();
        return [.. matched.Where(file => IsHalf(file.Path)
            ? Precision == WeightPrecision.Half || !both.Contains(Plain(file.Path))
            : Precision == WeightPrecision.Full || !both.Contains(file.Path))];
    }

    // Rejects paths that would leave the target folder.
    public static bool IsSafe(string path) =>
        path.Length > 0 && !Path.IsPathRooted(path) && !path.Contains('\\') && !path.Any(char.IsControl)
        && path.Split('/').All(part => part is not ("" or "." or ".."));

    private static bool IsHalf(string path) => path.EndsWith(HalfWeights, StringComparison.Ordinal);

    private static string Plain(string path) => path[..^HalfWeights.Length] + Weights;

    private static string NameOf(string repository) => repository.Split('/')[^1];

    private static bool Matches(string pattern, string path) => Regex.IsMatch(
        path, "^" + Regex.Escape(pattern).Replace(@"\*\*", ".*").Replace(@"\*", "[^/]*")
            + @"\z", RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.NonBacktracking);
}

internal enum WeightPrecision
{
    Any,
    Half,
    Full,
}

/// <summary>
/// Downloads one file to FILE.part, resumes an earlier attempt, and renames the file once its checksum matches.
/// </summary>
internal sealed class Fetch(Hub hub, string repository, string revision)
{
    private const int BufferSize = 1 << 20;
    private const int MaxTries = 10;
    private const string PartSuffix = ".part";
    private static readonly TimeSpan StallTimeout = TimeSpan.FromMinutes(1);

    /// <summary>Downloads the file unless a complete and correct copy exists.</summary>
    /// <param name="target">The file's final path.</param>
    /// <param name="received">Called with the number of bytes downloaded so far.</param>
    /// <param name="cancellation">Keeps the part for the next attempt.</param>
    /// <exception cref="CliException">The bytes do not match (the part is deleted), or the download broke off (the part stays).</exception>
    public async Task RunAsync(HubFile file, string target, Action<long> received, CancellationToken cancellation)
    {
        if (Length(target) == file.Size && await MatchesAsync(file, target, cancellation))
            return;
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        var part = target + PartSuffix;
        await ReceiveAllAsync(file, part, received, cancellation);
        if (!await MatchesAsync(file, part, cancellation))
        {
            File.Delete(part);
            throw new CliException($"{file.Path} has a wrong checksum and was deleted; run the command again.");
        }
        File.Move(part, target, overwrite: true);
    }

    // Resumes a broken connection at once, as long as each attempt makes progress.
    private async Task ReceiveAllAsync(HubFile file, string part, Action<long> received, CancellationToken cancellation)
    {
        for (var tries = 1; ; tries++)
        {
            var before = Length(part) ?? -1;
            if (before == file.Size)
                return;
            await ReceiveAsync(file, part, before > file.Size ? 0 : Math.Max(before, 0), received, cancellation);
            var have = Length(part) ?? 0;
            if (have == file.Size)
                return;
            if (have <= before || tries == MaxTries)
                throw new CliException($"{file.Path} broke off after {have} of {file.Size} bytes; run the command again to resume.");
        }
    }

    private async Task ReceiveAsync(HubFile file, string part, long from, Action<long> received, CancellationToken cancellation)
    {
        using var response = await hub.OpenAsync(repository, revision, file, from, cancellation);
        var have = response.StatusCode == HttpStatusCode.PartialContent ? from : 0;
        if (have > 0 && response.Content.Headers.ContentRange?.From != have)
            throw new CliException(
                $"{file.Path}: the hub did not send the requested bytes from {have} on; delete {part} and run the command again.");
        await using var output = new FileStream(part, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, bufferSize: 0);
        output.SetLength(have);
        output.Position = have;
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            await using var input = await response.Content.ReadAsStreamAsync(cancellation);
            for (int count; (count = await ReadAsync(input, buffer, cancellation)) > 0;)
            {
                have += count;
                if (have > file.Size)
                    break;
                await output.WriteAsync(buffer.AsMemory(0, count), cancellation);
                received(have);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        if (have <= file.Size)
            return;
        await output.DisposeAsync();
        File.Delete(part);
        throw new CliException($"{file.Path} is longer than the {file.Size} bytes the hub announced; it was deleted.");
    }

    // Returns 0 at the end, and also if the connection broke or stalled. The caller compares the length.
    private static async Task<int> ReadAsync(Stream input, byte[] buffer, CancellationToken cancellation)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(StallTimeout);
        try
        {
            return await input.ReadAsync(buffer, timeout.Token);
        }
        catch (Exception error) when (error is IOException or HttpRequestException
            || (error is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            return 0;
        }
    }

    private static async Task<bool> MatchesAsync(HubFile file, string path, CancellationToken cancellation)
    {
        await using var stream = File.OpenRead(path);
        if (file.Sha256 is { } expected)
            return Same(expected, await SHA256.HashDataAsync(stream, cancellation));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(Encoding.ASCII.GetBytes($"blob {file.Size}\0"));
        var buffer = new byte[BufferSize];
        for (int count; (count = await stream.ReadAsync(buffer, cancellation)) > 0;)
            hash.AppendData(buffer, 0, count);
        return Same(file.GitId, hash.GetHashAndReset());
    }

    private static bool Same(string expected, byte[] actual) =>
        expected.Equals(Convert.ToHexString(actual), StringComparison.OrdinalIgnoreCase);

    private static long? Length(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : null;
}
