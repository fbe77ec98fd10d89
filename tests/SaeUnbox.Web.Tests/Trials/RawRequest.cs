using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace SaeUnbox.Web.Tests.Trials;

/// <summary>Sends what no HTTP library would.</summary>
internal static class RawRequest
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Sends bytes, each a character, and reads the whole answer.</summary>
    /// <returns>The status and all of the answer; 0 if the connection was closed without one.</returns>
    public static async Task<(int Status, string Answer)> SendAsync(Uri studio, string request)
    {
        using var patience = new CancellationTokenSource(Patience);
        using var client = new TcpClient();
        await client.ConnectAsync(studio.Host, studio.Port, patience.Token);
        var answer = new StringBuilder();
        try
        {
            await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(request), patience.Token);
            var bytes = new byte[1 << 16];
            while (await client.GetStream().ReadAsync(bytes, patience.Token) is > 0 and var count)
                answer.Append(Encoding.Latin1.GetString(bytes, 0, count));
        }
        catch (IOException)
        {
            // The server has closed the connection, perhaps before it had read everything.
        }
        var words = answer.ToString().Split(' ', 3);
        return (words.Length > 1 && int.TryParse(words[1], CultureInfo.InvariantCulture, out var status) ? status : 0, answer.ToString());
    }

    /// <summary>A request without a body that asks to close the connection.</summary>
    public static string Of(string method, string target, string host, string headers = "") =>
        $"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n";
}
