using System.Security.Cryptography;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Components.Pages.Paint;

/// <summary>What the Paint page shows and what its controls do, without Blazor and the browser. Not thread-safe.</summary>
/// <param name="canvases">Creates the page's canvas.</param>
/// <param name="catalogue">The models and their features.</param>
/// <param name="clock">Times the retries of <see cref="OpenAsync"/>.</param>
/// <param name="changed">Called when the page must be drawn before a call returns.</param>
internal sealed partial class PaintState(CanvasRegistry canvases, IModelCatalogue catalogue, TimeProvider clock, Action changed)
{
    private const int MaxHistory = 24, MaxHistoryBytes = 1 << 20;
    private const string LinkIsOpen = "The recipe of the link is open. Undo returns to your previous recipe.";
    private static readonly TimeSpan LongWait = TimeSpan.FromSeconds(1);
    private static readonly Recipe NoRecipe = new() { Model = "none", Prompt = "", Width = 256, Height = 256 };
    private readonly ActiveFeatures _active = new();
    private bool _isStroke;

    /// <summary>Null until <see cref="OpenAsync"/> has created it.</summary>
    public CanvasSession? Canvas { get; private set; }

    public Recipe Recipe => Canvas?.Recipe ?? (catalogue.Models.Count > 0 ? Examples.First(catalogue) : NoRecipe);

    public ModelInfo? Model => catalogue.Models.Count > 0 ? catalogue.Find(Recipe.Model) ?? catalogue.Models[0] : null;

    public IFeatureAtlas? Atlas => Model is { } model ? catalogue.AtlasOf(model.Name) : null;

    /// <summary>Index of the selected layer.</summary>
    public int Selected { get; private set; }

    public FeatureEdit? SelectedEdit => Selected >= 0 && Selected < Recipe.Edits.Count ? Recipe.Edits[Selected] : null;

    /// <summary>The selected layer in words, such as "down.2.1 #12 snow +10".</summary>
    public string? SelectedLabel => SelectedEdit is { } edit
        ? FormattableString.Invariant($"{edit.Site} #{edit.Feature} {NameOf(edit)} {ModeText(edit)}{edit.Strength:+0.#;−0.#;0}")
        : null;

    /// <summary>What to do next, if the selected layer is still unpainted; null otherwise.</summary>
    public string? Hint =>
        HasPicture && Demonstration is null && SelectedEdit is { Mask.IsBlank: true } edit
            ? $"Drag on the picture to paint {NameOf(edit)}"
            : null;

    /// <summary>The mask that the page paints before a first visitor's eyes; null for none.</summary>
    public BrushMask? Demonstration { get; private set; }

    /// <summary>The strongest features at the pointed cell, or in the whole picture.</summary>
    public IReadOnlyList<ActiveCard> Active => _active.Cards;

    /// <summary>Whether <see cref="Active"/> lists one cell.</summary>
    public bool IsCellActive => _active.Place is not null;

    public Notice? Notice { get; set; }

    /// <summary>Says which part of the shown recipe had no effect; null if all of it had.</summary>
    public string? Note => Canvas?.NewestFrame?.Result.Note;

    /// <summary>The earlier pictures.</summary>
    public IReadOnlyList<HistoryEntry> History => Canvas?.Pictures ?? [];

    /// <summary>Index of the shown history entry; -1 if none is shown.</summary>
    public int ShownEntry { get; private set; } = -1;

    public View View { get; private set; }

    /// <summary>How much of the change lies outside the masks, as a sentence; empty if unknown.</summary>
    public string Leak { get; private set; } = "";

    /// <summary>The finished share of the running job, 0 to 1; null if unknown.</summary>
    public double? Progress { get; private set; }

    public bool IsBusy { get; private set; }

    public bool HasPicture { get; private set; }

    /// <summary>Address of the animation of the painting; null as long as there is only one picture.</summary>
    public string? RecordingAddress => Canvas is { Recording.Frames.Count: > 1 } canvas ? $"canvases/{canvas.Id}/painting.gif" : null;

    public string NameOf(FeatureEdit edit) => edit.Name ?? Atlas?.Find(edit.Site, edit.Feature)?.Name ?? $"feature {edit.Feature}";

    /// <summary>
    /// Creates the canvas. It continues an earlier one, so that undo leads back across pages, links and reloads. Retries while the client
    /// exceeds its limits.
    /// </summary>
    /// <param name="client">The client whose limits apply.</param>
    /// <param name="stored">Decides the first recipe.</param>
    /// <param name="layer">A feature to add as a layer, as SITE:FEATURE.</param>
    /// <param name="last">The canvas that the circuit had open before; null for none.</param>
    /// <param name="cancellation">Ends the retries.</param>
    public async Task<CanvasSession> OpenAsync(
        string client, StoredState stored, string? layer, CanvasSession? last, CancellationToken cancellation)
    {
        var past = StartingRecipe.PastOf(stored, last ?? canvases.Find(stored.Canvas ?? ""), catalogue);
        var before = past?.Steps.Current.Recipe;
        var (start, note) = StartingRecipe.Choose(stored.Link, before, layer, catalogue);
        if (stored is { IsFirst: true, Link: null or "" } && past is null && layer is null
            && Examples.ToDemonstrate(catalogue) is { Edits: [var painted] } example)
        {
            Demonstration = painted.Mask;
            past = CanvasPast.Of((example with { Edits = [] }).Check());
            start = example with { Edits = [painted with { Mask = painted.Mask!.Blank() }] };
        }
        await WhenAdmittedAsync(() =>
        {
            try
            {
                Canvas = canvases.Create(client, start, past);
            }
            catch (RecipeException exception)
            {
                // A link of another server may exceed this server's limits.
                note = $"This recipe cannot be used here: {exception.Message}.";
                Canvas = canvases.Create(client, before ?? Examples.First(catalogue), past);
            }
        }, cancellation);
        _solo = Solo.Restore(stored.Solo);
        ShownEntry = Canvas!.Pictures.FindLastIndex(entry => entry.Recipe == Recipe);
        if (note is not null)
            ShowError(note);
        else if (stored.Link is { Length: > 0 } && before is not null && start != before)
            ShowMessage(LinkIsOpen);
        return Canvas!;
    }

    /// <summary>Requests the first picture. Retries while the client exceeds its limits.</summary>
    public async Task ResumeAsync(StoredState stored, CancellationToken cancellation)
    {
        await WhenAdmittedAsync(() =>
        {
            if (Guid.TryParse(stored.Job, out var job))
                Canvas!.Resume(job);
            else
                Canvas!.Refresh();
        }, cancellation);
        Select(Math.Max(0, Recipe.Edits.Count - 1));
    }

    /// <summary>Applies an update of the canvas.</summary>
    /// <returns>Whether the page must be drawn.</returns>
    public bool Apply(CanvasUpdate update)
    {
        switch (update)
        {
            case CanvasUpdate.Changed change:
                _isStroke = change.IsStroke;
                if (!_isStroke && change.Recipe.Recipe.Edits is [{ Mask.IsBlank: false }])
                    EndDemonstration();
                if (!_isStroke)
                    Select(Math.Clamp(Selected, 0, Math.Max(0, change.Recipe.Recipe.Edits.Count - 1)));
                return !_isStroke;
            case CanvasUpdate.Frame frame:
                (IsBusy, Progress, HasPicture) = (false, null, true);
                if (Notice is { IsAboutQueue: true })
                    Notice = null;
                ListActive();
                return frame.Result.Maps.All.Count > 0 || frame.Result.Note is not null;
            case CanvasUpdate.Status { Progress: GenerationProgress.Running { Steps: > 1 } running }:
                (IsBusy, Progress) = (true, (double)running.Step / running.Steps);
                return true;
            case CanvasUpdate.Status { Progress: GenerationProgress.Cancelled }:
                (IsBusy, Notice) = (false, new("Stopped.", IsError: false));
                return true;
            case CanvasUpdate.Rejected rejected:
                (IsBusy, Notice) = (false, rejected.RetryAfter is null ? new(rejected.Message, IsError: true)
                    : new("The queue is full. Your picture starts as soon as there is room.", IsError: true, IsAboutQueue: true));
                return true;
            case CanvasUpdate.Status { Progress: GenerationProgress.Waiting { Position: > 0 } waiting }
                when waiting.Expected is { } expected ? expected > LongWait : !_isStroke:
                (IsBusy, Notice) = (true, new(PageJobs.WaitingText(waiting), IsError: false, IsAboutQueue: true));
                return true;
            default:
                return false;
        }
    }

    /// <summary>Ends the demonstration and says what to do next.</summary>
    public void EndDemonstration()
    {
        if (Demonstration is null || SelectedEdit is not { } edit)
            return;
        Demonstration = null;
        var what = edit.Also.Count == 0 ? "One feature" : $"{edit.Also.Count + 1} features";
        ShowMessage($"{what} painted this: {NameOf(edit)}. Drag to paint more of it, or choose another one.");
    }

    public void ShowError(string text) => Notice = new(text, IsError: true);

    public void ShowMessage(string text) => Notice = new(text, IsError: false);

    public void Generate(string prompt, bool keepSeed)
    {
        (IsBusy, Notice) = (true, null);
        Change(recipe => recipe with { Prompt = prompt, Seed = keepSeed ? recipe.Seed : RandomNumberGenerator.GetInt32(int.MaxValue) });
    }

    /// <summary>Replaces everything but the layers.</summary>
    public void ChangeSettings(Recipe next)
    {
        IsBusy = true;
        Change(recipe => next with { Edits = recipe.Edits });
    }

    public void Undo() => Try(() => Canvas?.Undo());

    public void Redo() => Try(() => Canvas?.Redo());

    public void Select(int layer) => Selected = layer;

    public void RestoreEntry(int entry)
    {
        (ShownEntry, IsBusy) = (entry, true);
        Change(_ => History[entry].Recipe);
    }

    /// <summary>
    /// Adds the shown picture to the history, unless it is there. One that looks like the shown entry takes its place.
    /// </summary>
    /// <returns>Whether the history has it.</returns>
    public bool AddToHistory(long version, bool isLikeShown = false)
    {
        if (Canvas is not { } canvas || canvas.Version != version)
            return false;
        var pictures = canvas.Pictures;
        if (pictures.FindLastIndex(entry => entry.Recipe == canvas.Recipe) is >= 0 and var known)
        {
            ShownEntry = known;
            return true;
        }
        if (isLikeShown && ShownEntry >= 0)
        {
            pictures[ShownEntry] = new(canvas.Recipe, version);
            return true;
        }
        pictures.Add(new(canvas.Recipe, version));
        var fitting = RecipeMemory.CountWithin(MaxHistoryBytes, pictures.Select(entry => entry.Recipe).Reverse());
        pictures.RemoveRange(0, Math.Max(0, pictures.Count - Math.Clamp(fitting, 1, MaxHistory)));
        ShownEntry = pictures.Count - 1;
        return true;
    }

    public void OpenExample(Recipe recipe) => Open((recipe, null), "The example is open. Undo returns to your previous recipe.");

    public void OpenLink(string link) =>
        Open(StartingRecipe.OfLink(link, catalogue), LinkIsOpen);

    /// <param name="json">The picture's recipe; empty if it is too long, null if it has none.</param>
    public void OpenPicture(string? json) => Open(
        json switch
        {
            null => (null, "This picture contains no readable recipe. Open a PNG that was saved here."),
            "" => StartingRecipe.TooLong,
            _ => StartingRecipe.OfJson(json, catalogue),
        },
        "The recipe of the picture is open. Undo returns to your previous recipe.");

    /// <summary>Lists the features at a place, 0 to 1 from the left and from the top.</summary>
    public void PointAt(double x, double y)
    {
        _active.Place = (x, y);
        ListActive();
    }

    /// <summary>Lists the features of the whole picture.</summary>
    public void PointAway()
    {
        _active.Place = null;
        ListActive();
    }

    /// <summary>Chooses a view, or the picture if the view is chosen already.</summary>
    public View ToggleView(View view)
    {
        ShowLeak(null);
        return View = View == view ? View.Picture : view;
    }

    /// <param name="share">Share of the change that lies outside the masks; null if unknown.</param>
    public void ShowLeak(double? share) =>
        Leak = share is { } known ? FormattableString.Invariant($"{known:0.0 %} of the change lies outside the masks") : "";

    private void Open((Recipe? Recipe, string? Problem) found, string message)
    {
        Notice = new(found.Problem ?? message, IsError: found.Problem is not null);
        if (found.Recipe is { } recipe)
            Change(_ => recipe);
    }

    private void Change(Func<Recipe, Recipe> change, bool isStroke = false) => Try(() =>
    {
        try
        {
            Canvas?.Change(change, isStroke);
        }
        catch (TooManyRequestsException) when (isStroke)
        {
            // The end of the stroke is still to come.
        }
    });

    private void Try(Action change)
    {
        try
        {
            change();
        }
        catch (Exception exception) when (exception is RecipeException or TooManyRequestsException or QueueFullException)
        {
            IsBusy = false;
            ShowError(exception.Message);
        }
    }

    private async Task WhenAdmittedAsync(Action work, CancellationToken cancellation)
    {
        while (Admission.Try(work) is { } delay)
        {
            var seconds = (int)Math.Ceiling(delay.TotalSeconds);
            ShowError($"Too many requests from your address; your draft is kept, and this page tries again in {seconds} s.");
            changed();
            await Task.Delay(delay, clock, cancellation);
            Notice = null;
        }
    }

    private void ListActive()
    {
        if (Canvas?.NewestFrame?.Result.Maps is { All.Count: > 0 } maps && Atlas is { } atlas)
            _active.List(maps, atlas);
        ListRegion();
    }

    private static string ModeText(FeatureEdit edit) => edit.Mode == EditMode.Default ? "" : $"{edit.Mode} ";
}
