using System.Buffers;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace SaeUnbox.Cli.Download;

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
