using System.Diagnostics;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests.Trials;

/// <summary>Connections that strangers may open to a studio: more than they may have, and slow ones that hold what others need.</summary>
internal sealed class HostileConnections(Studio studio, TrialLedger ledger)
{
    private const string Part = "connections", Visitor = "203.0.113.3", Other = "203.0.113.4";
    private const int PerClient = 400;
    private static readonly TimeSpan BetweenBytes = TimeSpan.FromMilliseconds(200), MostPatience = TimeSpan.FromSeconds(90);

    public async Task RunAsync(bool withSlowOnes)
    {
        await ledger.TryAsync(Part, "one more than a client may have", TooManyAsync);
        if (withSlowOnes)
            await Task.WhenAll(
                ledger.TryAsync(Part, "a head that does not end", () => SlowAsync("GET / HTTP/1.1\r\nX-Slow: ")),
                ledger.TryAsync(Part, "a body that does not end", () => SlowAsync(RawRequest.Of("POST", "/api/v1/generate",
                    studio.Address.Authority, "Content-Type: application/json\r\nContent-Length: 10000\r\n"))),
                ledger.TryAsync(Part, "a painter that reads no picture", DeafAsync));
        await ledger.TryAsync(Part, "a picture afterwards", async () =>
        {
            await using var hub = await HubClient.ConnectAsync(studio.Address, visitor: Visitor);
            await hub.InvokeAsync("Open", null, "");
            await hub.InvokeAsync("Refresh");
            await hub.HearAsync("Frame");
            return null;
        });
    }

    private async Task<string?> TooManyAsync()
    {
        var open = new List<HubClient>();
        try
        {
            for (var i = 0; i < PerClient; i++)
                open.Add(await HubClient.ConnectAsync(studio.Address, visitor: Visitor));
            open.Add(await HubClient.ConnectAsync(studio.Address, visitor: Other));
            open.Add(await HubClient.ConnectAsync(studio.Address, visitor: Visitor));
            return "it is taken";
        }
        catch (WebSocketException exception)
        {
            return open.Count == PerClient + 1 && exception.Message.Contains("429", StringComparison.Ordinal)
                ? null
                : $"connection {open.Count}: {exception.Message}";
        }
        finally
        {
            foreach (var hub in open)
                await hub.DisposeAsync();
        }
    }

    // Sends the start of a request and then a byte now and then.
    private async Task<string?> SlowAsync(string start)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(studio.Address.Host, studio.Address.Port);
        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(start));
        return await EndsAsync(() => client.GetStream().WriteAsync("x"u8.ToArray()).AsTask());
    }

    // Paints, but takes nothing from the connection.
    private async Task<string?> DeafAsync()
    {
        const int smallest = 4096;
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (to, cancellation) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = smallest };
                await socket.ConnectAsync(to.DnsEndPoint, cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            }
        };
        using var http = new HttpMessageInvoker(handler);
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"ws://{studio.Address.Authority}/hubs/paint"), http, default);
        await SendAsync(new { protocol = "json", version = 1 });
        await SendAsync(new { type = 1, target = "Open", arguments = new[] { null, "" } });
        var seed = 0;
        return await EndsAsync(() => SendAsync(new
        {
            type = 1,
            target = "SetRecipe",
            arguments = new[] { JsonSerializer.Serialize(new { prompt = "a cat", seed = seed++ }) }
        }));

        Task SendAsync(object message) => socket.SendAsync(
            Encoding.UTF8.GetBytes(JsonSerializer.Serialize(message) + '\u001e'), WebSocketMessageType.Text, true, default);
    }

    // Goes on until the other side has closed the connection.
    private static async Task<string?> EndsAsync(Func<Task> goOn)
    {
        for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < MostPatience; await Task.Delay(BetweenBytes))
            try
            {
                await goOn();
            }
            catch (Exception exception) when (exception is IOException or WebSocketException)
            {
                return null;
            }
        return $"it is open after {MostPatience.TotalSeconds} s";
    }
}
