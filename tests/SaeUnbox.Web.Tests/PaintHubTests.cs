using System.Net;
using System.Net.WebSockets;
using System.Text.Json;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests;

[Collection(nameof(Studio))]
public sealed class PaintHubTests(Studio studio)
{
    [Fact]
    public async Task Paint_Stroke_GivesAFrameOfItsVersion()
    {
        await using var hub = await HubClient.ConnectAsync(studio.Address);
        var (recipe, mask) = await WithLayerAsync(hub);
        var version = (await hub.InvokeAsync("SetRecipe", recipe)).GetProperty("version").GetInt64();
        var before = await hub.HearAsync("Frame", frame => frame.GetProperty("version").GetInt64() >= version);

        var painted = (await hub.InvokeAsync("Paint", 0, mask, true)).GetProperty("version").GetInt64();
        var after = await hub.HearAsync("Frame", frame => frame.GetProperty("version").GetInt64() >= painted);

        Assert.True(painted > version);
        Assert.Equal("image/jpeg", after.GetProperty("mediaType").GetString());
        Assert.NotEqual(before.GetProperty("picture").GetString(), after.GetProperty("picture").GetString());
    }

    [Fact]
    public async Task Paint_ManyStrokes_ShowsRisingVersionsAndTheLast()
    {
        await using var hub = await HubClient.ConnectAsync(studio.Address);
        var (recipe, mask) = await WithLayerAsync(hub);
        await hub.InvokeAsync("SetRecipe", recipe);
        var last = 0L;
        for (var i = 0; i < 15; i++)
            last = (await hub.InvokeAsync("Paint", 0, i % 2 == 0 ? mask : "", i == 14)).GetProperty("version").GetInt64();

        var seen = new List<long>();
        while (seen.Count == 0 || seen[^1] < last)
            seen.Add((await hub.HearAsync("Frame")).GetProperty("version").GetInt64());

        Assert.Equal(seen.Order(), seen);
        Assert.Equal(seen.Distinct(), seen);
        Assert.Equal(last, seen[^1]);
    }

    [Fact]
    public async Task Open_KnownCanvas_FindsIt()
    {
        string canvas;
        await using (var first = await HubClient.ConnectAsync(studio.Address))
        {
            canvas = (await first.InvokeAsync("Open", null, """{"prompt":"a palm tree"}""")).GetProperty("canvas").GetString()!;
            await first.InvokeAsync("SetRecipe", """{"prompt":"a palm tree on sand"}""");
        }
        await using var second = await HubClient.ConnectAsync(studio.Address);

        var state = await second.InvokeAsync("Open", canvas, "");

        Assert.Equal(canvas, state.GetProperty("canvas").GetString());
        Assert.Equal("a palm tree on sand", Recipe.FromJson(state.GetProperty("recipe").GetString()!).Prompt);
    }

    [Fact]
    public async Task Call_InvalidRequest_AnswersInOneSentence()
    {
        await using var hub = await HubClient.ConnectAsync(studio.Address);
        await FailsAsync("Open first", "Paint", 0, "", true);
        await hub.InvokeAsync("Open", null, "");
        await FailsAsync("edit", "Paint", 3, "", true);
        await FailsAsync("strength", "SetRecipe", """{"prompt":"a","edits":[{"site":"mid.0","feature":0,"strength":"much"}]}""");
        await FailsAsync("mask", "Paint", 0, "8x8/1:***", true);

        async Task FailsAsync(string word, string method, params object?[] arguments) =>
            Assert.Contains(word, (await Assert.ThrowsAsync<InvalidOperationException>(() => hub.InvokeAsync(method, arguments))).Message,
                StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Connect_FromAnotherSite_IsRefused()
    {
        await Assert.ThrowsAsync<WebSocketException>(() => HubClient.ConnectAsync(studio.Address, "https://elsewhere.example"));
        await using var own = await HubClient.ConnectAsync(studio.Address, $"http://{studio.Address.Authority}");
    }

    // Both the hub and the page's circuits, since clicks make pictures too.
    [Theory]
    [InlineData("/hubs/paint")]
    [InlineData("/_blazor")]
    public async Task Open_SocketOfAnotherOrigin_IsRefused(string path)
    {
        await OpenAsync($"http://{studio.Address.Authority}");
        await OpenAsync($"https://{studio.Address.Authority}", ("X-Forwarded-Proto", "https"));
        foreach (var origin in new[]
        {
            "https://elsewhere.example",
            $"https://{studio.Address.Authority}",
            $"http://{studio.Address.Host}:1",
            "null"
        })
            Assert.Contains("403", (await Assert.ThrowsAsync<WebSocketException>(() => OpenAsync(origin))).Message);

        async Task OpenAsync(string origin, params (string Name, string Value)[] headers)
        {
            using var socket = new ClientWebSocket();
            foreach (var (name, value) in headers.Append(("Origin", origin)))
                socket.Options.SetRequestHeader(name, value);
            await socket.ConnectAsync(new Uri($"ws://{studio.Address.Authority}{path}"), TestContext.Current.CancellationToken);
            socket.Abort();
        }
    }

    [Fact]
    public async Task Connect_UnknownVersion_IsRefusedWithTheKnownOnes()
    {
        await Assert.ThrowsAsync<WebSocketException>(() => HubClient.ConnectAsync(studio.Address, query: "?version=1"));
        await using var spoken = await HubClient.ConnectAsync(studio.Address, query: "?version=2");

        var answer = await studio.Client.GetAsync("/hubs/paint?version=3", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("version 2", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Cancel_DuringAPicture_EndsIt()
    {
        await using var hub = await HubClient.ConnectAsync(studio.Address);
        await hub.InvokeAsync("Open", null, """{"prompt":"a house","steps":100,"width":512,"height":512}""");
        await hub.InvokeAsync("Refresh");
        await hub.HearAsync("Status", status => status.GetProperty("state").GetString() == "running");

        await hub.InvokeAsync("Cancel");

        await hub.HearAsync("Status", status => status.GetProperty("state").GetString() == "cancelled");
    }

    [Fact]
    public async Task Disconnect_OnlyWatcher_PausesThePictureUntilOneReturns()
    {
        string canvas;
        await using (var first = await HubClient.ConnectAsync(studio.Address))
        {
            canvas = (await first.InvokeAsync("Open", null,
                """{"prompt":"a house","steps":100,"width":512,"height":512}""")).GetProperty("canvas")
                .GetString()!;
            await first.InvokeAsync("Refresh");
            await first.HearAsync("Status", status => status.GetProperty("state").GetString() == "running");
        }
        await using var second = await HubClient.ConnectAsync(studio.Address);
        // The program has one device, so this picture starts once the other job is cancelled.
        await second.InvokeAsync("Open", null, """{"prompt":"a boat at sea"}""");
        await second.InvokeAsync("Refresh");
        await second.HearAsync("Frame");
        await second.InvokeAsync("Open", canvas, "");

        Assert.Equal(2, (await second.HearAsync("Changed")).GetProperty("version").GetInt64());
    }

    [Fact]
    public async Task Paint_MaskOfAnotherSize_ChangesNothing()
    {
        await using var hub = await HubClient.ConnectAsync(studio.Address);
        var (recipe, _) = await WithLayerAsync(hub);
        var version = (await hub.InvokeAsync("SetRecipe", recipe)).GetProperty("version").GetInt64();

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => hub.InvokeAsync("Paint", 0,
            BrushMask.FromCells(256, 256, new float[1 << 16]).ToString(), true));

        Assert.Contains("256 x 256", error.Message);
        Assert.Equal(version + 1, (await hub.InvokeAsync("Paint", 0, "", true)).GetProperty("version").GetInt64());
    }

    [Fact]
    public async Task Send_MessageTooLarge_ClosesTheConnection()
    {
        await using var hub = await HubClient.ConnectAsync(studio.Address);
        await hub.SendAsync(JsonSerializer.Serialize(
            new { type = 1, target = "SetRecipe", arguments = new[] { new string('a', RecipeLimits.MaxJsonBytes) } }));

        Assert.True(await hub.IsClosedAsync());
    }

    private static async Task<(string Recipe, string Mask)> WithLayerAsync(HubClient hub)
    {
        var state = await hub.InvokeAsync("Open", null, """{"prompt":"a house in a meadow"}""");
        var recipe = Recipe.FromJson(state.GetProperty("recipe").GetString()!);
        var side = recipe.Width / 16 >= 16 ? 16 : 8;
        var cells = new float[side * side];
        cells.AsSpan(0, cells.Length / 2).Fill(1);
        return ((recipe with
        {
            Edits = [new FeatureEdit(Site.Composition, 1, 20)
            {
                Mode = EditMode.Add,
                Mask = BrushMask.FromCells(side, side, new float[side * side])
            }]
        }).ToJson(),
            BrushMask.FromCells(side, side, cells).ToString());
    }
}
