using System.Text.Json;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;
using SaeUnbox.Cli.Mcp;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>mcp</c>: offers a model to agents, by the Model Context Protocol over standard input and output.</summary>
internal static class McpCommand
{
    private const string Instructions =
        "A text-to-image model whose inner features can be seen and painted. Find a feature with search, or "
        + "see with explore which ones are active in a picture and where; then paint it into a region. Each answer has the recipe of its "
        + "picture, from which the next call goes on.";

    public static Command Create(Terminal terminal)
    {
        var model = new ModelArguments(DtypeChoice.Auto);
        var atlas = new AtlasArgument("Folder of the atlas to search and to name features from (default: the model's own).");
        return terminal.NewCommand("mcp", "Offer a model to agents: a server of the Model Context Protocol on standard input and output.",
            [.. model.Options, atlas.Option], async (parsed, cancellation) =>
        {
            var options = model.Read(parsed, null);
            var reader = atlas.Find(parsed, model) is { } folder ? AtlasReader.Open(folder) : null;
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            // A client waits for the first answer only for seconds, so the server answers while a large model is loaded.
            var loading = Task.Run(() => ModelSession.Load(terminal, options, stop.Token), stop.Token);
            try
            {
                await using var tools = new StudioTools(loading, reader);
                await using var server = McpServer.Create(new StdioServerTransport("saeunbox"), Options(tools));
                var serving = server.RunAsync(stop.Token);
                if (await Task.WhenAny(loading, serving) == loading && !loading.IsCompletedSuccessfully)
                    await loading;
                await serving;
            }
            finally
            {
                await stop.CancelAsync();
                if (await Task.WhenAny(loading) is { IsCompletedSuccessfully: true } loaded)
                    (await loaded).Dispose();
            }
        });
    }

    private static McpServerOptions Options(StudioTools tools)
    {
        var options = new McpServerOptions
        {
            ServerInfo = new Implementation
            {
                Name = "saeunbox",
                Version = typeof(McpCommand).Assembly.GetName().Version!.ToString(3),
            },
            ServerInstructions = Instructions,
            ToolCollection = [.. tools.All],
        };
        options.Filters.Request.CallToolFilters.Add(next => async (request, cancellation) =>
        {
            try
            {
                return await next(request, cancellation);
            }
            catch (Exception error) when (error is not OperationCanceledException)
            {
                var isAboutArguments = error is JsonException or ArgumentException { ParamName: "arguments" };
                return new CallToolResult
                {
                    IsError = true,
                    Content = [new TextContentBlock { Text = isAboutArguments ? Misfit(request) : Guard.Sentence(error) }],
                };
            }
        });
        return options;
    }

    private static string Misfit(RequestContext<CallToolRequestParams> request) =>
        $"the arguments do not fit the schema of {request.Params.Name}, which requires "
        + string.Join(", ", ((McpServerTool)request.MatchedPrimitive!).ProtocolTool.InputSchema.GetProperty("required").EnumerateArray());
}
