namespace SaeUnbox.Web.Hosting;

/// <summary><c>--model DIR --saes DIR [--dtype X] [--device X]</c>: the short way to serve one model.</summary>
internal static class CommandLineModel
{
    private static readonly Dictionary<string, string> Keys = new()
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

    public static void AddCommandLineModel(this WebApplicationBuilder builder, string[] args)
    {
        var words = args.Select(arg => arg switch { "bf16" or "fp16" or "fp32" => char.ToUpperInvariant(arg[0]) + arg[1..], _ => arg }).ToArray();
        builder.Configuration.AddCommandLine(words, Keys);
        if (builder.Configuration["urls"] is null && Environment.GetEnvironmentVariable("ASPNETCORE_HTTP_PORTS") is null)
            builder.WebHost.UseUrls("http://localhost:5080");
    }
}
