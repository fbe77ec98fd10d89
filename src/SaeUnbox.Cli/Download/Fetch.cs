using System.Buffers;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace SaeUnbox.Cli.Download;

/// <summary>
/// Brings one file: into FILE.part, from where an earlier try stopped, and under its own name only when its checksum is right.
/// </summary>
internal sealed class Fetch(Hub hub, string repository, string revision)
{
    private const int BufferSize = 1 << 20;
    private const string PartSuffix = ".part";

    /// <summary>Whether the file is there, whole and right.</summary>
    public static async Task<bool> IsThereAsync(HubFile file, string target, CancellationToken cancellation) =>
        File.Exists(target) && new FileInfo(target).Length == file.Size && await MatchesAsync(file, target, cancellation);

    /// <param name="file">What to bring.</param>
    /// <param name="target">The file's final path.</param>
    /// <param name="received">Told of the bytes of this file that are here.</param>
    /// <param name="cancellation">What was received so far stays for the next try.</param>
    /// <exception cref="CliException">The bytes are not those the hub announced; the part is deleted.</exception>
    public async Task RunAsync(HubFile file, string target, Action<long> received, CancellationToken cancellation)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        var part = target + PartSuffix;
        var have = File.Exists(part) ? new FileInfo(part).Length : 0;
        if (have > file.Size)
        {
            File.Delete(part);
            have = 0;
        }
        if (have < file.Size || file.Size == 0) await ReceiveAsync(file, part, have, received, cancellation);
        if (new FileInfo(part).Length < file.Size)
            throw new CliException($"{file.Path} broke off after {new FileInfo(part).Length} of {file.Size} bytes; run the command again to go on from there.");
        if (!await MatchesAsync(file, part, cancellation))
        {
            File.Delete(part);
            throw new CliException($"{file.Path} arrived with a wrong checksum and was deleted; run the command again.");
        }
        File.Move(part, target, overwrite: true);
    }

    private async Task ReceiveAsync(HubFile file, string part, long have, Action<long> received, CancellationToken cancellation)
    {
        using var response = await hub.OpenAsync(repository, revision, file, have, cancellation);
        if (response.StatusCode != HttpStatusCode.PartialContent) have = 0;
        await using var output = new FileStream(part, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, BufferSize);
        output.SetLength(have);
        output.Position = have;
        await using var input = await response.Content.ReadAsStreamAsync(cancellation);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            for (int count; (count = await input.ReadAsync(buffer, cancellation)) > 0;)
            {
                have += count;
                if (have > file.Size) throw new CliException($"{file.Path} is longer than the {file.Size} bytes the hub announced.");
                await output.WriteAsync(buffer.AsMemory(0, count), cancellation);
                received(have);
            }
        }
        catch (Exception error) when (error is HttpIOException or HttpRequestException)
        {
            throw new CliException($"{file.Path} broke off after {have} of {file.Size} bytes; run the command again to go on from there.");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<bool> MatchesAsync(HubFile file, string path, CancellationToken cancellation)
    {
        await using var stream = File.OpenRead(path);
        if (file.Sha256 is { } expected) return Same(expected, await SHA256.HashDataAsync(stream, cancellation));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(Encoding.ASCII.GetBytes($"blob {file.Size}\0"));
        var buffer = new byte[BufferSize];
        for (int count; (count = await stream.ReadAsync(buffer, cancellation)) > 0;) hash.AppendData(buffer, 0, count);
        return Same(file.GitId, hash.GetHashAndReset());
    }

    private static bool Same(string expected, byte[] actual) => expected.Equals(Convert.ToHexString(actual), StringComparison.OrdinalIgnoreCase);
}
