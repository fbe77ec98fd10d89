using System.Net.Http.Json;
using Microsoft.Playwright;
using SaeUnbox.Web.Tests;
using SaeUnbox.Web.Tests.Sharing;

namespace SaeUnbox.Serving.Tests;

/// <summary>The page in a browser, with pictures made by a worker over the broker.</summary>
public sealed class PageTests(Broker broker, Browser browser, PostgresServer postgres)
    : IClassFixture<Browser>, IClassFixture<PostgresServer>, IAsyncDisposable
{
    private static readonly Recipe Snow = new()
    {
        Model = "unbox-mini",
        Prompt = "a house in a meadow",
        Width = 512,
        Height = 512,
        Edits =
            [new FeatureEdit(Site.Composition, 1, 20) { Mask = BrushMask.FromCells(16, 16, new float[256]) }],
    };

    private readonly Programs _programs = new(broker);

    [Fact]
    public async Task Paint_WhileTheWebNodeDies_GoesOnWhereItWas()
    {
        _programs.Start("worker", "--SaeUnbox:RabbitMq:NodeName=worker");
        var node = _programs.Start("web", "--SaeUnbox:RabbitMq:NodeName=page");
        await Programs.UntilAWorkerAsync(node);
        var page = await browser.OpenAsync(node.BaseAddress!, $"/#r={Snow.ToLink()}");
        await page.PictureAsync();
        await page.StrokeAsync((.3, .6), (.7, .6));
        await page.HistoryAsync(2);
        var before = await page.PixelsAsync();

        _programs.Processes[1].Kill();
        await _programs.Processes[1].WaitForExitAsync();
        // The server is gone, so only the browser keeps this stroke.
        await page.StrokeAsync((.3, .9), (.7, .9));
        _programs.StartAt(node.BaseAddress!, "web", "--SaeUnbox:RabbitMq:NodeName=page");
        await page.WaitForFunctionAsync("() => sessionStorage.getItem('saeunbox.pending') === null");
        await page.WaitForFunctionAsync("() => document.querySelector('.layer') && document.querySelectorAll('.history li').length === 1");

        var mask = Recipe.FromJson(await page.EvaluateAsync<string>("() => sessionStorage.getItem('saeunbox.draft')")).Edits.Single().Mask!;
        foreach (var row in new[] { .6, .9 })
            Assert.True(mask.Cells[(int)(row * mask.Rows) * mask.Columns + mask.Columns / 2] > .5f, $"the stroke at {row} is lost");
        Assert.True(StudioPage.Change(before, await page.PixelsAsync(), (_, y) => y > .8) > 2, "the picture does not follow the brush");
    }

    [Fact]
    public async Task Link_SharedAtOneNode_OpensAtAnotherByPostgres()
    {
        string[] store = ["--SaeUnbox:Store=Postgres", $"--SaeUnbox:Sharing:Connection={postgres.NewDatabase()}"];
        _programs.Start("worker", "--SaeUnbox:RabbitMq:NodeName=worker");
        var (here, there) =
            (_programs.Start("web", ["--SaeUnbox:RabbitMq:NodeName=here", .. store]), _programs.Start(
                "web", ["--SaeUnbox:RabbitMq:NodeName=there", .. store]));
        await Programs.UntilAWorkerAsync(here);
        await Programs.UntilAWorkerAsync(there);
        var recipe = Snow with { Edits = [Snow.Edits[0] with { Mask = BrushMask.FromCells(16, 16, [.. Enumerable.Repeat(1f, 256)]) }] };
        var saved = await here.PostAsJsonAsync("/api/v1/recipes", System.Text.Json.JsonDocument.Parse(recipe.ToJson()));

        var mine = await browser.OpenAsync(here.BaseAddress!, $"/#r={recipe.ToLink()}");
        await mine.PictureAsync();
        var theirs = await browser.OpenAsync(there.BaseAddress!, saved.Headers.Location!.ToString(), waitsForPage: false);
        await theirs.GetByRole(AriaRole.Link, new() { Name = "Open in the studio" }).ClickAsync();
        await theirs.PictureAsync();

        Assert.Equal(recipe, Recipe.FromJson(await theirs.EvaluateAsync<string>("() => sessionStorage.getItem('saeunbox.draft')")));
        Assert.Equal(await mine.PixelsAsync(), await theirs.PixelsAsync());
    }

    public ValueTask DisposeAsync() => _programs.DisposeAsync();
}
