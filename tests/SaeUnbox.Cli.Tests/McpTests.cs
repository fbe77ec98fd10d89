using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

/// <summary>The program as a server of the Model Context Protocol, with the built-in model.</summary>
public sealed class McpServerProcess : IAsyncLifetime
{
    // The copy beside these tests lacks what their own framework has.
    private static readonly string Program = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../SaeUnbox.Cli",
        Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), "saeunbox.dll"));

    /// <summary>What follows dotnet to start the server.</summary>
    public static string[] Words { get; } = [Program, "mcp", "--threads", "1"];

    public McpClient Client { get; private set; } = null!;

    public async ValueTask InitializeAsync() =>
        Client = await McpClient.CreateAsync(new StdioClientTransport(new() { Command = "dotnet", Arguments = Words }));

    public async ValueTask DisposeAsync() => await Client.DisposeAsync();
}

public sealed class McpTests(McpServerProcess server) : IClassFixture<McpServerProcess>
{
    private const string Prompt = "a red house on snow";

    [Fact]
    public async Task Tools_Listed_SayWhatTheyTake()
    {
        var tools = await server.Client.ListToolsAsync();

        Assert.Equal(["explore", "generate", "paint", "search"], tools.Select(tool => tool.Name).Order());
        Assert.All(tools, tool => Assert.All(tool.JsonSchema.GetProperty("properties").EnumerateObject(),
            field => Assert.NotEmpty(field.Value.GetProperty("description").GetString()!)));
    }

    [Fact]
    public async Task Generate_Recipe_GivesThePictureOfTheCommand()
    {
        using var folder = new TemporaryFolder();
        await Saeunbox.SucceedAsync("generate", "--prompt", Prompt, "--seed", "7", "--threads", "1", "--out", folder.At("x.png"));

        var (picture, said) = await CallAsync("generate", new() { ["recipe"] = new { prompt = Prompt, seed = 7 } });

        Assert.Equal(await File.ReadAllBytesAsync(folder.At("x.png")), picture);
        Assert.Equal(Png.FindText(picture!, Recipe.PngKeyword), said.GetProperty("recipe").GetRawText());
    }

    [Fact]
    public async Task Explore_Recipe_ListsTheFeaturesOfTheCommandAndWhereTheyAre()
    {
        using var folder = new TemporaryFolder();
        var command = (await Saeunbox.SucceedAsync("explore", "--prompt", Prompt, "--threads", "1", "--top", "3", "--json", "--out",
            folder.At("x"))).Json.GetProperty("sites");

        var (picture, said) = await CallAsync("explore", new() { ["recipe"] = new { prompt = Prompt }, ["top"] = 3 });

        Assert.Equal(await File.ReadAllBytesAsync(folder.At("x", "image.png")), picture);
        foreach (var site in said.GetProperty("sites").EnumerateArray())
        {
            var features = site.GetProperty("features").EnumerateArray().ToArray();
            Assert.Equal(command.GetProperty(site.GetProperty("site").GetString()!).GetProperty("features").EnumerateArray().Select(Key),
                features.Select(Key));
            foreach (var box in features.Select(feature => feature.GetProperty("box").Deserialize<double[]>()!))
                Assert.True(0 <= box[0] && box[0] < box[2] && box[2] <= 1 && 0 <= box[1] && box[1] < box[3] && box[3] <= 1);
        }

        static (int, double) Key(JsonElement feature) =>
            (feature.GetProperty("feature").GetInt32(), feature.GetProperty("mean").GetDouble());
    }

    [Fact]
    public async Task Search_Words_FindsWhatTheCommandFinds()
    {
        var command = (await Saeunbox.SucceedAsync("search", "boat", "--limit", "4", "--json")).Json.EnumerateArray().Select(Key);

        var (picture, said) = await CallAsync("search", new() { ["words"] = "boat", ["limit"] = 4 });

        Assert.Null(picture);
        Assert.Equal(command, said.GetProperty("features").EnumerateArray().Select(Key));

        static (string?, int) Key(JsonElement hit) => (hit.GetProperty("site").GetString(), hit.GetProperty("feature").GetInt32());
    }

    [Fact]
    public async Task Paint_Box_AddsAnEditWithItsCells()
    {
        var (_, plain) = await CallAsync("generate", new() { ["recipe"] = new { prompt = Prompt } });

        var (picture, said) = await CallAsync("paint", new()
        {
            ["recipe"] = plain.GetProperty("recipe"),
            ["site"] = "down.2.1",
            ["feature"] = 434,
            ["strength"] = 8,
            ["top"] = .5,
        });

        var expected = Recipe.FromJson(plain.GetProperty("recipe").GetRawText());
        var cells = new float[16 * 16];
        cells.AsSpan(cells.Length / 2).Fill(1);
        expected = expected with
        {
            Edits = [new FeatureEdit(Site.Composition, 434, 8) { Mask = BrushMask.FromCells(16, 16, cells) }],
        };
        Assert.Equal(expected.ToJson(), said.GetProperty("recipe").GetRawText());
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.At("recipe.json"), expected.ToJson());
        await Saeunbox.SucceedAsync("generate", "--recipe", folder.At("recipe.json"), "--threads", "1", "--out", folder.At("x.png"));
        Assert.Equal(await File.ReadAllBytesAsync(folder.At("x.png")), picture);
    }

    [Theory]
    [InlineData("generate", """{"recipe":{"prompt":"a","width":4096}}""", "width 4096")]
    [InlineData("generate", """{"recipe":{"prompt":"a","steps":1000}}""", "steps 1000")]
    [InlineData("generate", """{"recipe":{"prompt":"a","model":"elsewhere"}}""", "elsewhere")]
    [InlineData("generate", """{"recipe":{"prompt":"a","colour":"red"}}""", "colour")]
    [InlineData("generate", """{"recipe":"a house"}""", "recipe")]
    [InlineData("generate", "{}", "recipe")]
    [InlineData("explore", """{"recipe":{"prompt":"a"},"top":51}""", "top 51")]
    [InlineData("explore", """{"recipe":{"prompt":"a"},"step":1}""", "step 1")]
    [InlineData("search", """{"words":"boat","site":"nowhere"}""", "nowhere")]
    [InlineData("search", """{"words":"boat","limit":0}""", "limit 0")]
    [InlineData("paint", """{"recipe":{"prompt":"a"},"site":"down.2.1","feature":99999}""", "99999")]
    [InlineData("paint", """{"recipe":{"prompt":"a"},"site":"down.2.1","feature":1,"left":0.5,"right":0.5}""", "box")]
    public async Task Call_InvalidArguments_IsAnErrorOfOneSentence(string tool, string arguments, string word)
    {
        var result = await server.Client.CallToolAsync(tool, JsonSerializer.Deserialize<Dictionary<string, object?>>(arguments));

        Assert.True(result.IsError);
        var text = Assert.IsType<TextContentBlock>(Assert.Single(result.Content)).Text;
        Assert.Contains(word, text);
        Assert.DoesNotContain("unexpected", text);
        Assert.DoesNotContain('\n', text);
    }

    [Fact]
    public async Task Output_OfAnySession_HoldsOnlyMessages()
    {
        using var process = Start(McpServerProcess.Words);
        var error = process.StandardError.ReadToEndAsync();
        foreach (var message in new[]
        {
            """{"jsonrpc":"2.0","id":1,"method":"initialize","params":"""
                + """{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}""",
            """{"jsonrpc":"2.0","method":"notifications/initialized"}""",
            "not a message",
            """{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"generate","arguments":{"recipe":{"prompt":"a boat"}}}}""",
        })
            await process.StandardInput.WriteLineAsync(message);

        var ids = new List<int>();
        while (ids.LastOrDefault() != 2 && await process.StandardOutput.ReadLineAsync() is { } line)
            ids.Add(JsonNode.Parse(line)!["id"]?.GetValue<int>() ?? 0);
        process.StandardInput.Close();
        await process.WaitForExitAsync();

        Assert.Equal([1, 2], ids);
        Assert.Equal(("", 0), (await process.StandardOutput.ReadToEndAsync(), process.ExitCode));
        Assert.Equal("", await error);
    }

    [Fact]
    public async Task Start_ModelThatCannotBeLoaded_EndsWithOneLine()
    {
        using var folder = new TemporaryFolder();
        using var process = Start([.. McpServerProcess.Words, "--model", folder.Path]);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());

        await process.WaitForExitAsync();

        Assert.Equal(("", 1), (await output, process.ExitCode));
        Assert.StartsWith("saeunbox: ", Assert.Single((await error).Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    private async Task<(byte[]? Picture, JsonElement Said)> CallAsync(string tool, Dictionary<string, object?> arguments)
    {
        var result = await server.Client.CallToolAsync(tool, arguments);
        var said = result.Content.OfType<TextContentBlock>().Single().Text;
        Assert.True(result.IsError != true, said);
        return (result.Content.OfType<ImageContentBlock>().SingleOrDefault()?.DecodedData.ToArray(), JsonDocument.Parse(said).RootElement);
    }

    private static Process Start(string[] words) => Process.Start(new ProcessStartInfo("dotnet", words)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;
}
