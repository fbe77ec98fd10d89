using System.ComponentModel;
using System.Text.Json;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;
using SaeUnbox.Cli.Commands;

namespace SaeUnbox.Cli.Mcp;

/// <summary>What agents can do with a model. One call runs at a time; the others wait.</summary>
/// <param name="loading">The model, which the caller disposes after the tools.</param>
/// <param name="atlas">Names and finds features; null for none.</param>
internal sealed class StudioTools(Task<LoadedModel> loading, AtlasReader? atlas) : IAsyncDisposable
{
    private const int MaxSide = 2048, MaxSteps = 100, MaxTop = 50, MaxHits = 100;
    private const string RecipeHelp = "A recipe. Only prompt is required: {\"prompt\":\"a red house on snow\",\"seed\":7,\"edits\":"
        + "[{\"site\":\"up.0.1\",\"feature\":12,\"strength\":8}]}. Further fields are negativePrompt, steps, guidance, width, height and "
        + "those of the recipe in an answer.";

    private readonly SemaphoreSlim _one = new(1);
    private RecipeRunner? _runner;

    public IEnumerable<McpServerTool> All =>
    [
        Tool("generate", GenerateAsync, "Makes the picture of a recipe."),
        Tool("explore", ExploreAsync, "Makes the picture of a recipe and lists the features that are active in it at each site, the "
            + "strongest first. Of each feature, box is the part of the picture in which it has at least half of its maximum: left, top, "
            + "right, bottom from 0 to 1."),
        Tool("search", SearchAsync, "Finds features by words, such as snow or a boat."),
        Tool("paint", PaintAsync, "Paints a feature into a box of a recipe's picture, after the edits that the recipe has."),
    ];

    public async ValueTask DisposeAsync()
    {
        await _one.WaitAsync();
        _runner?.Dispose();
        _one.Dispose();
    }

    private Task<CallToolResult> GenerateAsync([Description(RecipeHelp)] JsonObject recipe, CancellationToken cancellation) =>
        WithModelAsync((model, runner) => Made(model, runner, Read(recipe, model), cancellation), cancellation);

    private Task<CallToolResult> ExploreAsync(
        [Description(RecipeHelp)] JsonObject recipe,
        [Description("The denoising step to look at, from 0; by default the last.")] int? step = null,
        [Description("Features to list for each site, 1 to 50.")] int top = 10,
        CancellationToken cancellation = default) => WithModelAsync((model, runner) =>
        {
            Require.Between("top", top, 1, MaxTop);
            if (model.Saes.Count == 0)
                throw new CliException("this model has no sparse autoencoders; start the server with --saes.");
            var made = Read(recipe, model);
            var shown = Require.Between("step", step ?? made.Steps - 1, 0, made.Steps - 1);
            var outcome = runner.Run(made, new RunRequest { Read = [.. model.Saes.Keys] }, cancellation);
            return Answer(made, outcome, new JsonObject
            {
                ["step"] = shown,
                ["sites"] = new JsonArray([.. outcome.Maps.All.Where(map => map.Step == shown).Select(map => Node(model, map, top))]),
            });
        }, cancellation);

    private Task<CallToolResult> SearchAsync(
        [Description("Words of names and captions, or a feature's number.")] string words,
        [Description("Search only this site, such as up.0.1.")] string? site = null,
        [Description("The most features to list, 1 to 100.")] int limit = 10)
    {
        if (atlas is null)
            throw new CliException("this model has no atlas to search; make one with saeunbox atlas, or name its folder with --atlas.");
        if (words.Length > FeatureQuery.MaxTextLength)
            throw new CliException($"words has {words.Length} characters; at most {FeatureQuery.MaxTextLength} are allowed.");
        var hits = atlas.Search(new FeatureQuery
        {
            Text = words,
            Site = site is null ? null : SiteArgument.Parse("site", site),
            Limit = Require.Between("limit", limit, 1, MaxHits),
        }).Hits;
        return Task.FromResult(Answer([], new JsonObject
        {
            ["features"] = Json.Node(hits.Select(hit => SearchCommand.Node(hit.Card))),
        }));
    }

    private Task<CallToolResult> PaintAsync(
        [Description(RecipeHelp)] JsonObject recipe,
        [Description("The feature's site, such as up.0.1.")] string site,
        [Description("The feature's number.")] int feature,
        [Description("-40 to 40. 10 paints it clearly; negative values push it away.")] double strength = 10,
        [Description("Left edge of the box, as a share of the picture's width.")] double left = 0,
        [Description("Upper edge of the box, as a share of the picture's height.")] double top = 0,
        [Description("Right edge of the box.")] double right = 1,
        [Description("Lower edge of the box.")] double bottom = 1,
        CancellationToken cancellation = default) => WithModelAsync((model, runner) =>
        {
            var start = Read(recipe, model);
            var place = SiteArgument.Parse("site", site);
            var edit = new FeatureEdit(place, feature, strength);
            if (model.Info.Sites.FirstOrDefault(sae => sae.Site == place) is { } sae)
                edit = edit with { Mask = Box(sae.Grid(start.Width, start.Height), left, top, right, bottom) };
            return Made(model, runner, start with { Edits = [.. start.Edits, edit] }, cancellation);
        }, cancellation);

    // Tensors belong to the thread that made them, so each call stays on one.
    private async Task<CallToolResult> WithModelAsync(
        Func<LoadedModel, RecipeRunner, CallToolResult> use, CancellationToken cancellation)
    {
        var model = await loading.WaitAsync(cancellation);
        await _one.WaitAsync(cancellation);
        try
        {
            _runner ??= new RecipeRunner(model);
            return await Task.Run(() => use(model, _runner), CancellationToken.None);
        }
        finally
        {
            _one.Release();
        }
    }

    private static Recipe Read(JsonObject json, LoadedModel model)
    {
        var recipe = Recipe.FromJson(json.ToJsonString(), model.Info.NewRecipe());
        if (recipe.Model != model.Info.Name)
            throw ModelFit.NoModel(recipe.Model, [model.Info.Name]);
        Require.Between("width", recipe.Width, 1, MaxSide);
        Require.Between("height", recipe.Height, 1, MaxSide);
        Require.Between("steps", recipe.Steps, 1, MaxSteps);
        return recipe;
    }

    private static CallToolResult Made(LoadedModel model, RecipeRunner runner, Recipe recipe, CancellationToken cancellation)
    {
        var outcome = runner.Run(recipe, cancellation: cancellation);
        var said = new JsonObject();
        if (model.Model.WarnAbout(recipe.Prompt) is { } note)
            said["note"] = note;
        return Answer(recipe, outcome, said);
    }

    private static CallToolResult Answer(Recipe recipe, RunOutcome outcome, JsonObject said)
    {
        said.Insert(0, "recipe", JsonNode.Parse(recipe.ToJson()));
        return Answer([ImageContentBlock.FromBytes(PictureFile.Png(outcome.Picture!, recipe), "image/png")], said);
    }

    private static CallToolResult Answer(IEnumerable<ContentBlock> pictures, JsonObject said) => new()
    {
        Content = [.. pictures, new TextContentBlock { Text = said.ToJsonString(JsonSerializerOptions.Web) }],
    };

    private JsonObject Node(LoadedModel model, SiteActivations map, int top) => new()
    {
        ["site"] = map.Site.Code,
        ["nickname"] = model.Info.Find(map.Site)?.Nickname,
        ["explainedVariance"] = map.ExplainedVariance,
        ["features"] = new JsonArray([.. map.Top(top).Select(feature => new JsonObject
        {
            ["feature"] = feature.Feature,
            ["name"] = atlas?.Find(map.Site, feature.Feature)?.Name,
            ["mean"] = feature.Mean,
            ["max"] = feature.Max,
            ["share"] = feature.Share,
            ["box"] = Where(map, feature),
        })]),
    };

    // Where the feature has at least half of its maximum: left, top, right, bottom as shares of the picture.
    private static JsonArray Where(SiteActivations map, ActiveFeature feature)
    {
        var strong = map.Map(feature.Feature).Index().Where(cell => cell.Item >= feature.Max / 2)
            .Select(cell => (Row: cell.Index / map.Columns, Column: cell.Index % map.Columns)).ToArray();
        return
        [
            (double)strong.Min(cell => cell.Column) / map.Columns, (double)strong.Min(cell => cell.Row) / map.Rows,
            (strong.Max(cell => cell.Column) + 1.0) / map.Columns, (strong.Max(cell => cell.Row) + 1.0) / map.Rows,
        ];
    }

    // Each cell holds the share of it that lies in the box.
    private static BrushMask Box((int Rows, int Columns) grid, double left, double top, double right, double bottom)
    {
        if (!(left >= 0 && left < right && right <= 1 && top >= 0 && top < bottom && bottom <= 1))
            throw new CliException("the box is not in the picture: left < right and top < bottom are expected, all from 0 to 1.");
        var across = Enumerable.Range(0, grid.Columns).Select(column => Overlap(column, grid.Columns, left, right)).ToArray();
        var down = Enumerable.Range(0, grid.Rows).Select(row => Overlap(row, grid.Rows, top, bottom)).ToArray();
        return BrushMask.FromCells(grid.Rows, grid.Columns, [.. down.SelectMany(row => across.Select(column => (float)(row * column)))]);

        static double Overlap(int cell, int cells, double from, double to) =>
            Math.Clamp((to * cells) - cell, 0, 1) - Math.Clamp((from * cells) - cell, 0, 1);
    }

    private static McpServerTool Tool(string name, Delegate method, string description) => McpServerTool.Create(method, new()
    {
        Name = name,
        Description = description,
        ReadOnly = true,
        Idempotent = true,
        OpenWorld = false,
    });
}
