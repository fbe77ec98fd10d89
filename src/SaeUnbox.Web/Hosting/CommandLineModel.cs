namespace SaeUnbox.Web.Hosting;

/// <summary>The program's own options: the short way to serve one model, in place of settings such as <c>--SaeUnbox:Models:0:Folder=DIR</c>.</summary>
internal static class CommandLineModel
{
    public const string DefaultAddress = "http://localhost:5080";

    public const string Help = $"""
        Serves the studio at {DefaultAddress} until Ctrl-C: on unbox-mini, the model that ships, or on one that is named.

          --model DIR          a pipeline in diffusers' layout, such as sdxl-turbo
          --saes DIR           its sparse autoencoders
          --sae-variant NAME   which of them, where there are several a site
          --atlas DIR          their atlas
          --clip DIR           the CLIP model of the atlas
          --name NAME          what recipes call the model
          --device DEVICE      cpu, cuda or cuda:N
          --dtype DTYPE        the number format: auto (the device's fastest), fp32, bf16 or fp16
          --vae VAE            kl or tiny
          --threads N          threads of one operator
          --urls ADDRESS       where to listen, such as http://localhost:8080

        Every setting of docs/serving.md can be given, too: --SaeUnbox:QueueLimit=100

        """;

    private static readonly Dictionary<string, string> Keys = new(StringComparer.OrdinalIgnoreCase)
    {
        ["--model"] = "SaeUnbox:Models:0:Folder",
        ["--saes"] = "SaeUnbox:Models:0:SaeFolder",
        ["--sae-variant"] = "SaeUnbox:Models:0:SaeVariant",
        ["--atlas"] = "SaeUnbox:Models:0:AtlasFolder",
        ["--clip"] = "SaeUnbox:Models:0:ClipFolder",
        ["--name"] = "SaeUnbox:Models:0:Name",
        ["--dtype"] = "SaeUnbox:Models:0:Dtype",
        ["--device"] = "SaeUnbox:Models:0:Device",
        ["--vae"] = "SaeUnbox:Models:0:Vae",
        ["--threads"] = "SaeUnbox:Models:0:Threads",
    };

    // What ASP.NET Core takes beside settings in sections, whose names have a colon, and OpenTelemetry's, whose names begin with OTEL_.
    private static readonly HashSet<string> OfTheHost = new(StringComparer.OrdinalIgnoreCase)
    {
        "--urls", "--environment", "--contentRoot", "--webRoot", "--applicationName", "--http_ports", "--https_ports", "--AllowedHosts",
    };

    public static void AddCommandLineModel(this WebApplicationBuilder builder, string[] args)
    {
        foreach (var mistake in Mistakes(args))
            builder.Services.AddSingleton(new UnreadableSetting(mistake));
        var words = args.Select(arg => arg switch { "auto" or "bf16" or "fp16" or "fp32" => char.ToUpperInvariant(arg[0]) + arg[1..], _ => arg }).ToArray();
        builder.Configuration.AddCommandLine(words, Keys);
        if (builder.Configuration["urls"] is null && Environment.GetEnvironmentVariable("ASPNETCORE_HTTP_PORTS") is null)
            builder.WebHost.UseUrls(DefaultAddress);
    }

    // The framework passes over an option without a value, and over one that nobody reads.
    private static IEnumerable<string> Mistakes(string[] args)
    {
        for (var i = 0; i < args.Length; i++)
        {
            var option = args[i].Split('=')[0];
            if (!option.StartsWith("--", StringComparison.Ordinal) || option.Contains(':') || option.StartsWith("--OTEL_", StringComparison.Ordinal))
                continue;
            if (!Keys.ContainsKey(option) && !OfTheHost.Contains(option))
                yield return $"{option} is no option; --help lists them.";
            else if (option == args[i] && (i + 1 == args.Length || args[i + 1].StartsWith("--", StringComparison.Ordinal)))
                yield return $"after {option} a value is expected; --help lists the options.";
        }
    }
}
