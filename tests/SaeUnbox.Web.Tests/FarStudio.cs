using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;

namespace SaeUnbox.Web.Tests;

/// <summary>A studio behind a slow connection that delays all data in both directions, or behind a proxy that rewrites requests.</summary>
internal sealed class FarStudio : IAsyncDisposable
{
    private const int LargestPiece = 64 << 10;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly Uri _studio;
    private readonly TimeSpan _oneWay;
    private readonly Func<string, string>? _rewrite;
    private readonly Task _accepting;

    /// <param name="rewrite">Changes what browsers send, piece by piece, each byte a character; null for nothing.</param>
    public FarStudio(Studio studio, TimeSpan oneWay, Func<string, string>? rewrite = null)
    {
        (_studio, _oneWay, _rewrite) = (studio.Address, oneWay, rewrite);
        _listener.Start();
        Address = new($"http://localhost:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _accepting = AcceptAsync();
    }

    public Uri Address { get; }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        var lines = new List<Task>();
        try
        {
            while (true)
                lines.Add(JoinAsync(await _listener.AcceptTcpClientAsync(_end.Token)));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(lines);
        }
    }

    private async Task JoinAsync(TcpClient near)
    {
        using var far = new TcpClient();
        using (near)
        {
            try
            {
                await far.ConnectAsync(_studio.Host, _studio.Port, _end.Token);
                await Task.WhenAny(CarryAsync(near, far, _rewrite), CarryAsync(far, near, null));
            }
            catch (Exception exception) when (exception is SocketException or OperationCanceledException)
            {
                // The studio is stopped, or the test has ended.
            }
        }
    }

    private async Task CarryAsync(TcpClient from, TcpClient to, Func<string, string>? rewrite)
    {
        from.NoDelay = to.NoDelay = true;
        var underway = Channel.CreateUnbounded<(byte[] Bytes, long Due)>();
        var arriving = ArriveAsync();
        try
        {
            var piece = new byte[LargestPiece];
            while (await from.GetStream().ReadAsync(piece, _end.Token) is > 0 and var count)
                underway.Writer.TryWrite((Rewritten(piece[..count]), Environment.TickCount64 + (long)_oneWay.TotalMilliseconds));
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // One end closed the connection.
        }
        underway.Writer.Complete();
        await arriving;

        byte[] Rewritten(byte[] bytes) => rewrite is null ? bytes : Encoding.Latin1.GetBytes(rewrite(Encoding.Latin1.GetString(bytes)));

        async Task ArriveAsync()
        {
            try
            {
                await foreach (var (bytes, due) in underway.Reader.ReadAllAsync(_end.Token))
                {
                    if (due - Environment.TickCount64 is > 0 and var left)
                        await Task.Delay(TimeSpan.FromMilliseconds(left), _end.Token);
                    await to.GetStream().WriteAsync(bytes, _end.Token);
                }
            }
            catch (Exception exception) when (exception is IOException or OperationCanceledException)
            {
                // The other end closed the connection.
            }
        }
    }
}
