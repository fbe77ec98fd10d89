using Microsoft.Extensions.Options;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Tests.Canvases;

public sealed class CanvasRegistryTests : IDisposable
{
    private static readonly Recipe House = OneModel.Mini.NewRecipe("a house");
    private readonly CanvasOptions _options = new() { MostPerClient = 2, Most = 3 };
    private readonly ClientLimits _limits;
    private readonly CanvasRegistry _canvases;

    public CanvasRegistryTests()
    {
        var options = Options.Create(_options);
        _limits = new ClientLimits(options);
        _canvases = new CanvasRegistry(new HandQueue(), new OneModel(), _limits, options, TimeProvider.System);
    }

    public void Dispose()
    {
        _canvases.Dispose();
        _limits.Dispose();
    }

    [Fact]
    public void Create_BeyondTheClientsLimit_DropsItsOldestUnwatchedCanvas()
    {
        var watched = _canvases.Create("ann", House);
        watched.Updated += _ => { };
        var other = _canvases.Create("bob", House);
        var second = _canvases.Create("ann", House);

        var third = _canvases.Create("ann", House);

        Assert.Null(_canvases.Find(second.Id));
        Assert.All(new[] { watched, other, third }, canvas => Assert.Same(canvas, _canvases.Find(canvas.Id)));
    }

    [Fact]
    public void Create_AllWatched_IsRefused()
    {
        for (var i = 0; i < _options.MostPerClient; i++)
            _canvases.Create("ann", House).Updated += _ => { };

        Assert.Throws<QueueFullException>(() => _canvases.Create("ann", House));
        _canvases.Create("bob", House);
    }

    [Theory]
    [InlineData("prompt")]
    [InlineData("negativePrompt")]
    [InlineData("steps")]
    [InlineData("width")]
    public void Create_RecipeBeyondTheLimits_NamesTheField(string field)
    {
        var words = new string('a', _options.PromptLength + 1);
        var much = field switch
        {
            "prompt" => House with { Prompt = words },
            "negativePrompt" => House with { NegativePrompt = words },
            "steps" => House with { Steps = _options.Steps + 1 },
            _ => House with { Width = 4096, Height = 4096 },
        };

        Assert.Equal(field, Assert.Single(Assert.Throws<RecipeException>(() => _canvases.Create("ann", much)).Errors).Field);
    }

    [Fact]
    public void Create_RecipeThatDoesNotFitTheModel_KeepsNothing()
    {
        _options.MostPerClient = 1;
        var first = _canvases.Create("ann", House);

        Assert.Throws<RecipeException>(() => _canvases.Create("ann",
            House with { Edits = [new FeatureEdit(Site.Composition, 512, 1)] }));
        Assert.Throws<RecipeException>(() => _canvases.Create("ann", House with { Model = "other" }));
        Assert.Same(first, _canvases.Find(first.Id));
    }

    [Fact]
    public void Undo_BeyondTheLimit_ChangesNothing()
    {
        (_options.Burst, _options.RequestsPerSecond) = (3, 1);
        using var limits = new ClientLimits(Options.Create(_options));
        var canvas = new CanvasSession("canvas", "ann", House.Check(), new HandQueue(), new OneModel(), limits, TimeProvider.System);
        canvas.Change(recipe => recipe with { Seed = 1 });
        canvas.Change(recipe => recipe with { Seed = 2 });
        canvas.Undo();

        Assert.Throws<TooManyRequestsException>(canvas.Undo);
        Assert.Equal((1, true, true), (canvas.Recipe.Seed, canvas.CanUndo, canvas.CanRedo));
    }
}
