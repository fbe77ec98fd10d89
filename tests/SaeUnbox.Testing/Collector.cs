using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace SaeUnbox.Testing;

/// <summary>Takes OTLP over HTTP on loopback, and keeps what comes.</summary>
public sealed class Collector : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly ConcurrentQueue<(string Path, byte[] Body)> _taken = [];

    public Collector()
    {
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            Address = new($"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}");
        }
        _listener.Prefixes.Add(Address.ToString());
        _listener.Start();
        _ = TakeAsync();
    }

    public Uri Address { get; }

    /// <summary>All messages so far.</summary>
    public IReadOnlyList<byte[]> Taken => [.. _taken.Select(one => one.Body)];

    /// <summary>Waits for a message to this path that holds all of these, each as text or as bytes.</summary>
    public async Task<byte[]> FindAsync(string path, TimeSpan patience, params object[] parts)
    {
        byte[][] wanted = [.. parts.Select(part => part as byte[] ?? Encoding.UTF8.GetBytes((string)part))];
        using var ending = new CancellationTokenSource(patience);
        while (true)
        {
            if (_taken
                .Where(one => one.Path == path && wanted.All(part => one.Body.AsSpan().IndexOf(part) >= 0))
                .Select(one => one.Body)
                .FirstOrDefault() is { } found)
                return found;
            if (ending.IsCancellationRequested)
                throw new TimeoutException(
                    $"nothing came to {path} with all of "
                    + $"{string.Join(", ", parts.Select(part => part is byte[] bytes ? Convert.ToHexString(bytes) : part))}; "
                        + $"{_taken.Count} messages came");
            await Task.Delay(50).ConfigureAwait(false);
        }
    }

    public void Dispose() => _listener.Close();

    private async Task TakeAsync()
    {
        try
        {
            while (true)
            {
                var context = await _listener.GetContextAsync().ConfigureAwait(false);
                using var body = new MemoryStream();
                await context.Request.InputStream.CopyToAsync(body).ConfigureAwait(false);
                _taken.Enqueue((context.Request.Url!.AbsolutePath, body.ToArray()));
                context.Response.ContentType = "application/x-protobuf";
                context.Response.Close();
            }
        }
        catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
        {
            // It is over.
        }
    }
}
