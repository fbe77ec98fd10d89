namespace SaeUnbox.Web.Hosting;

/// <summary>Short options that serve one model, instead of settings such as <c>--SaeUnbox:Models:0:Folder=DIR</c>.</summary>
internal static class CommandLineOptions
{
    public const string DefaultAddress = "http://localhost:5080";

    public const string Help = $"""
        Serves the studio at {DefaultAddress} until you press Ctrl-C. Without --model it serves unbox-mini, the bundled model.

          --model PATH         SDXL, SD 1.x or SD 2.x: a folder in diffusers' layout, or one file
          --base PATH          model that lends what a one-file model lacks
          --tokenizer DIR      folder of another tokenizer
          --scheduler DIR      folder of another scheduler_config.json
          --lora FILE[:SCALE]  LoRA to merge into the weights; may be given several times
          --saes DIR           folder with the model's sparse autoencoders
          --sae-variant NAME   which autoencoder to use if a site has several
          --sae-k N            active features per position, if the autoencoders' files do not tell
          --atlas DIR          folder with the features' atlas
          --clip DIR           folder with the CLIP model of the atlas
          --name NAME          name of the model in recipes
          --device DEVICE      cpu, cuda or cuda:N
          --dtype DTYPE        number format: auto (fastest for the device), fp32, bf16, fp16 or int8
          --vae VAE            decoder: kl or tiny
          --threads N          threads per operator
          --cache DIR          folder that keeps the converted weights, for a faster start; off (default) for none
          --urls ADDRESS       address to listen on, such as http://localhost:8080

        All settings of docs/serving.md work here too, such as --SaeUnbox:QueueLimit=100.

        """;

    private const string Lora = "--lora", Loras = "SaeUnbox:Models:0:Loras";

    private static readonly Dictionary<string, string> Keys = new(StringComparer.OrdinalIgnoreCase)
    {
        ["--model"] = "SaeUnbox:Models:0:Folder",
        ["--base"] = "SaeUnbox:Models:0:Base",
        ["--tokenizer"] = "SaeUnbox:Models:0:TokenizerFolder",
        ["--scheduler"] = "SaeUnbox:Models:0:SchedulerFolder",
        [Lora] = Loras,
        ["--saes"] = "SaeUnbox:Models:0:SaeFolder",
        ["--sae-variant"] = "SaeUnbox:Models:0:SaeVariant",
        ["--sae-k"] = "SaeUnbox:Models:0:SaeK",
        ["--atlas"] = "SaeUnbox:Models:0:AtlasFolder",
        ["--clip"] = "SaeUnbox:Models:0:ClipFolder",
        ["--name"] = "SaeUnbox:Models:0:Name",
        ["--dtype"] = "SaeUnbox:Models:0:Dtype",
        ["--device"] = "SaeUnbox:Models:0:Device",
        ["--vae"] = "SaeUnbox:Models:0:Vae",
        ["--cache"] = "SaeUnbox:Models:0:Cache",
        ["--threads"] = "SaeUnbox:Models:0:Threads",
    };

    // ASP.NET Core's options. Section settings contain a colon and OpenTelemetry's begin with OTEL_, so neither is listed.
    private static readonly HashSet<string> HostKeys = new(StringComparer.OrdinalIgnoreCase)
    {
        "--urls", "--environment", "--contentRoot", "--webRoot", "--applicationName", "--http_ports", "--https_ports", "--AllowedHosts",
    };

    public static void AddCommandLineOptions(this WebApplicationBuilder builder, string[] args)
    {
        foreach (var error in Errors(args))
            builder.Services.AddSingleton(new SettingError(error));
        builder.Configuration.AddCommandLine([.. Numbered(args.Select(WithUpperCaseDtype))], Keys);
        if (builder.Configuration["urls"] is null && Environment.GetEnvironmentVariable("ASPNETCORE_HTTP_PORTS") is null)
            builder.WebHost.UseUrls(DefaultAddress);
    }

    // An option that may be repeated is a list of settings: --lora A --lora B.
    private static IEnumerable<string> Numbered(IEnumerable<string> args)
    {
        var count = 0;
        foreach (var arg in args)
            yield return arg == Lora || arg.StartsWith($"{Lora}=", StringComparison.Ordinal)
                ? $"--{Loras}:{count++}{arg[Lora.Length..]}"
                : arg;
    }

    private static string WithUpperCaseDtype(string arg) =>
        arg is "auto" or "bf16" or "fp16" or "fp32" or "int8" ? char.ToUpperInvariant(arg[0]) + arg[1..] : arg;

    // The framework silently ignores unknown options and options without a value.
    private static IEnumerable<string> Errors(string[] args)
    {
        for (var i = 0; i < args.Length; i++)
        {
            var option = args[i].Split('=')[0];
            if (!IsOption(option) || option.Contains(':') || option.StartsWith("--OTEL_", StringComparison.Ordinal))
                continue;
            if (!Keys.ContainsKey(option) && !HostKeys.Contains(option))
                yield return $"{option} is not a known option; --help lists the options.";
            else if (option == args[i] && (i + 1 == args.Length || IsOption(args[i + 1])))
                yield return $"{option} needs a value; --help lists the options.";
        }
    }

    private static bool IsOption(string word) => word.StartsWith("--", StringComparison.Ordinal);
}
