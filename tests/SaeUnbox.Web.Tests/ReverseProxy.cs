using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests;

/// <summary>nginx or Caddy on loopback in front of a studio, set up by the files of deploy/.</summary>
internal sealed class ReverseProxy : IAsyncDisposable
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../.."));
    private readonly TemporaryFolder _folder = new();
    private readonly StringBuilder _said = new();
    private Process _process = null!;
    private string? _certificate;

    public Uri Address { get; private set; } = null!;

    /// <summary>The kinds of proxies in tests of both.</summary>
    public static TheoryData<string> Kinds => ["nginx", "caddy"];

    /// <summary>Starts a proxy of a kind before a server. Skips the test where it is not installed.</summary>
    /// <param name="change">Changes what the file of deploy/ says.</param>
    public static Task<ReverseProxy> OfAsync(string kind, Uri server, Func<string, string>? change = null) =>
        kind == "nginx" ? NginxAsync(server, change: change) : CaddyAsync(server, change);

    /// <summary>Starts nginx. Skips the test where it is not installed.</summary>
    /// <param name="file">Its file in deploy/proxy.</param>
    /// <param name="isSecure">Whether it listens with TLS, as the file says, with a certificate for localhost.</param>
    public static async Task<ReverseProxy> NginxAsync(Uri server, string file = "nginx.conf", bool isSecure = false,
        Func<string, string>? change = null)
    {
        var program = Installed("nginx");
        var (proxy, port) = (new ReverseProxy(), Studio.FreePort());
        var site = await File.ReadAllTextAsync(Path.Combine(Root, "deploy/proxy", file));
        site = Replaced(site, "127.0.0.1:5080", $"127.0.0.1:{server.Port}");
        if (file == "nginx.conf" && isSecure)
        {
            await proxy.WriteCertificateAsync();
            site = Replaced(site, "listen 443 ssl http2;", $"listen {port} ssl http2;");
            site = Replaced(site, "/etc/ssl/certs/studio.pem", proxy._folder.At("certificate.pem"));
            site = Replaced(site, "/etc/ssl/private/studio.key", proxy._folder.At("key.pem"));
        }
        else if (file == "nginx.conf")
        {
            site = Replaced(site, "listen 443 ssl http2;", $"listen {port};");
            site = string.Join('\n', site.Split('\n').Where(line => !line.Contains("ssl_certificate", StringComparison.Ordinal)));
        }
        else
            site = Replaced(site, "listen 80;", $"listen {port};");
        await File.WriteAllTextAsync(proxy._folder.At("site.conf"), change?.Invoke(site) ?? site);
        // The rest is Debian's nginx.conf, in a folder of its own.
        var temporary = string.Concat(new[] { "client_body", "proxy", "fastcgi", "uwsgi", "scgi" }
            .Select(name => $"{name}_temp_path {proxy._folder.At(name)};\n"));
        await File.WriteAllTextAsync(proxy._folder.At("nginx.conf"), $$"""
            {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
            worker_processes 1;
            daemon off;
            pid {{proxy._folder.At("pid")}};
            error_log stderr;
            events { }
            http {
                access_log off;
                {{temporary}}
                include {{proxy._folder.At("site.conf")}};
            }
            """);
        await proxy.StartAsync(new(isSecure ? $"https://localhost:{port}" : $"http://localhost:{port}"), program,
            "-e", "stderr", "-p", proxy._folder.Path, "-c", proxy._folder.At("nginx.conf"));
        return proxy;
    }

    /// <summary>Starts Caddy with the file of deploy/compose. Skips the test where it is not installed.</summary>
    public static async Task<ReverseProxy> CaddyAsync(Uri server, Func<string, string>? change = null)
    {
        var program = Installed("caddy");
        var (proxy, port) = (new ReverseProxy(), Studio.FreePort());
        var site = await File.ReadAllTextAsync(Path.Combine(Root, "deploy/compose/Caddyfile"));
        site = Replaced(site, ":8000 {", $":{port} {{");
        site = Replaced(site, "dynamic a web 8080", $"dynamic a localhost {server.Port}");
        // Caddy 2.6, which is Debian's, does not know this one.
        if (await IsOldAsync(program))
            site = Replaced(site, "stream_close_delay 5s", "");
        await File.WriteAllTextAsync(proxy._folder.At("Caddyfile"), "{\n\tadmin off\n}\n" + (change?.Invoke(site) ?? site));
        await proxy.StartAsync(new($"http://localhost:{port}"), program, "run", "--config", proxy._folder.At("Caddyfile"));
        return proxy;
    }

    /// <summary>A client of this proxy at an address of this machine, which asks for a name.</summary>
    public HttpClient Client(IPAddress from, string? name = null, IPAddress? to = null)
    {
        var client = new HttpClient(new SocketsHttpHandler
        {
            SslOptions =
                { RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.GetCertHashString() == _certificate },
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(new IPEndPoint(from, 0));
                await socket.ConnectAsync(new IPEndPoint(to ?? IPAddress.Loopback, Address.Port), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        })
        { BaseAddress = Address, Timeout = Studio.Patience };
        client.DefaultRequestHeaders.Host = name;
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _folder.Dispose();
    }

    /// <summary>A file with a text that it must contain replaced.</summary>
    public static string Replaced(string file, string text, string by)
    {
        Assert.Contains(text, file);
        return file.Replace(text, by, StringComparison.Ordinal);
    }

    private static string Installed(string program)
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin")
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
        Assert.SkipWhen(path is null, $"{program} is not installed; tests/setup.sh installs it where it can.");
        return path;
    }

    private static async Task<bool> IsOldAsync(string program)
    {
        using var process = Process.Start(new ProcessStartInfo(program, ["version"]) { RedirectStandardOutput = true })!;
        var said = await process.StandardOutput.ReadToEndAsync();
        var numbers = said.Trim().TrimStart('v').Split('.', '-', ' ');
        return numbers is ["2", var minor, ..] && int.Parse(minor, null) < 7;
    }

    private async Task WriteCertificateAsync()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        _certificate = certificate.GetCertHashString();
        await File.WriteAllTextAsync(_folder.At("certificate.pem"), certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(_folder.At("key.pem"), key.ExportPkcs8PrivateKeyPem());
    }

    private async Task StartAsync(Uri address, string program, params string[] arguments)
    {
        Address = address;
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        (start.Environment["HOME"], start.Environment["XDG_DATA_HOME"]) = (_folder.Path, _folder.Path);
        start.Environment["XDG_CONFIG_HOME"] = _folder.Path;
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        while (!await ListensAsync())
        {
            Assert.False(_process.HasExited, $"{program} ended:\n{_said}");
            await Task.Delay(20);
        }
    }

    private async Task<bool> ListensAsync()
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, Address.Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private void Keep(string? line)
    {
        lock (_said)
            _said.AppendLine(line);
    }
}
