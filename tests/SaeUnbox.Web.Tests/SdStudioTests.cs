using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests;

/// <summary>The studio with a small model of the form of SD 1.x: API, hub and page.</summary>
public sealed class SdStudioTests(Browser browser) : IClassFixture<Browser>, IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private Studio _studio = null!;

    public async ValueTask InitializeAsync()
    {
        TinySd.WriteFirst(_folder.At("tiny"), TinySd.Ddim.Replace("v_prediction", "epsilon"));
        TinySd.WriteSaes(_folder.At("saes"));
        _studio = await Studio.OfAsync("--model", _folder.At("tiny"), "--saes", _folder.At("saes"));
    }

    [Fact]
    public async Task Models_OfTheApi_NameTheSites()
    {
        var model = (await _studio.Client.GetFromJsonAsync<JsonElement>("/api/v1/models"))[0];
        Assert.Equal((50, 7.5, 128),
            (model.GetProperty("steps").GetInt32(), model.GetProperty("guidance").GetDouble(), model.GetProperty("width").GetInt32()));
        Assert.Equal(
            [("up.1.1", "objects"), ("up.1.2", "style")],
            model.GetProperty("sites").EnumerateArray()
                .Select(site => (site.GetProperty("site").GetString()!, site.GetProperty("nickname").GetString()!)));
    }

    [Fact]
    public async Task Paint_AStroke_GivesAnotherPicture()
    {
        await using var hub = await HubClient.ConnectAsync(_studio.Address);
        await hub.InvokeAsync("Open", null, """{"prompt":"a dog","steps":3}""");
        var version = (await hub.InvokeAsync("SetRecipe",
            """{"prompt":"a dog","steps":3,"edits":[{"site":"up.1.1","feature":3,"strength":20}]}""")).GetProperty("version").GetInt64();
        var before = await hub.HearAsync("Frame", frame => frame.GetProperty("version").GetInt64() >= version);
        var mask = BrushMask.FromCells(4, 4, [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).ToString();

        var painted = (await hub.InvokeAsync("Paint", 0, mask, true)).GetProperty("version").GetInt64();
        var after = await hub.HearAsync("Frame", frame => frame.GetProperty("version").GetInt64() >= painted);

        Assert.NotEqual(before.GetProperty("picture").GetString(), after.GetProperty("picture").GetString());
    }

    [Fact]
    public async Task Explore_ThePage_ShowsThePictureAndTheNamesOfTheSites()
    {
        var page = await browser.OpenAsync(_studio, "/explore?prompt=a+dog&steps=2");
        await page.PictureAsync();
        await Assertions.Expect(page.Locator("button.chip[data-site='up.1.1']")).ToHaveTextAsync("objects");
        await Assertions.Expect(page.Locator("button.chip[data-site='up.1.2']")).ToHaveTextAsync("style");
        await page.GetByLabel("Ablate objects").ClickAsync();
        await page.PictureAsync();
        await Assertions.Expect(page).ToHaveURLAsync(new Regex("intervention=ablate"));
    }

    public async ValueTask DisposeAsync()
    {
        await _studio.DisposeAsync();
        _folder.Dispose();
    }
}
