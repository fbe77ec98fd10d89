using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace SaeUnbox.Testing;

/// <summary>Speaks the hub's JSON protocol over a WebSocket, as a script would: see docs/hub.md.</summary>
public sealed class HubClient : IAsyncDisposable
{
    private const char End = '\u001e';
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly ClientWebSocket _socket = new();
    private readonly Queue<JsonElement> _messages = [];
    private readonly List<byte> _rest = [];
    private int _calls;

    /// <param name="studio">Where the page is.</param>
    /// <param name="origin">The page that a browser would say it is on.</param>
    /// <param name="query">What follows the hub's address.</param>
    /// <param name="visitor">The address that a proxy on this machine would say the visitor has.</param>
    public static async Task<HubClient> ConnectAsync(Uri studio, string? origin = null, string query = "", string? visitor = null)
    {
        var client = new HubClient();
        if (origin is not null)
            client._socket.Options.SetRequestHeader("Origin", origin);
        if (visitor is not null)
            client._socket.Options.SetRequestHeader("X-Forwarded-For", visitor);
        await client._socket.ConnectAsync(new Uri($"ws://{studio.Authority}/hubs/paint{query}"), default);
        await client.SendAsync("""{"protocol":"json","version":1}""");
        await client.NextAsync();
        return client;
    }

    /// <summary>Calls a method; what the hub sends meanwhile is kept.</summary>
    /// <exception cref="InvalidOperationException">The hub answered with an error; its message.</exception>
    public async Task<JsonElement> InvokeAsync(string method, params object?[] arguments)
    {
        var id = $"{++_calls}";
        await SendAsync(JsonSerializer.Serialize(new { type = 1, invocationId = id, target = method, arguments }));
        var passed = new List<JsonElement>();
        while (true)
        {
            var message = await NextAsync();
            if (message.TryGetProperty("invocationId", out var answered) && answered.GetString() == id)
            {
                foreach (var one in passed)
                    _messages.Enqueue(one);
                return message.TryGetProperty("error", out var error) ? throw new InvalidOperationException(error.GetString())
                    : message.TryGetProperty("result", out var result) ? result : default;
            }
            passed.Add(message);
        }
    }

    /// <summary>The next call of the hub's of this name that fits.</summary>
    public async Task<JsonElement> HearAsync(string target, Func<JsonElement, bool>? fits = null)
    {
        while (true)
        {
            var message = await NextAsync();
            if (message.TryGetProperty("target", out var name)
                && name.GetString() == target
                && message.GetProperty("arguments")[0] is var argument
                && fits?.Invoke(argument) != false)
                return argument;
        }
    }

    public async Task SendAsync(string json) =>
        await _socket.SendAsync(Encoding.UTF8.GetBytes(json + End), WebSocketMessageType.Text, true, default);

    /// <summary>True once the other side has closed.</summary>
    public async Task<bool> IsClosedAsync()
    {
        try
        {
            while (true)
                if ((await NextAsync()).TryGetProperty("type", out var type) && type.GetInt32() == 7)
                    return true;
        }
        catch (WebSocketException)
        {
            return true;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Abort();
        _socket.Dispose();
        await Task.CompletedTask;
    }

    private async Task<JsonElement> NextAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        var buffer = new byte[1 << 16];
        while (_messages.Count == 0)
        {
            var received = await _socket.ReceiveAsync(buffer.AsMemory(), patience.Token);
            if (received.MessageType == WebSocketMessageType.Close)
                throw new WebSocketException("closed");
            _rest.AddRange(buffer.AsSpan(0, received.Count));
            while (_rest.IndexOf((byte)End) is >= 0 and var end)
            {
                _messages.Enqueue(JsonDocument.Parse(Encoding.UTF8.GetString([.. _rest.Take(end)])).RootElement);
                _rest.RemoveRange(0, end + 1);
            }
        }
        return _messages.Dequeue();
    }
}
