namespace SaeUnbox.Steering;

/// <summary>
/// Runs recipes on one model. A recipe that differs from an earlier one only in its edits resumes at the first step and site that an edit
/// changes, and gives the same bits as a whole run. Used by one thread at a time.
/// </summary>
/// <param name="model">The model, which the caller disposes.</param>
/// <param name="prefixes">How many prefixes (see <see cref="Prefix"/>) to keep.</param>
public sealed class RecipeRunner(LoadedModel model, int prefixes = 4) : IDisposable
{
    private readonly PrefixCache _cache = new(prefixes);

    /// <summary>Checks and runs a recipe.</summary>
    /// <exception cref="RecipeException">The recipe is not valid or does not fit the model.</exception>
    /// <exception cref="ModelException">The model cannot run it.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled between two stages.</exception>
    public RunOutcome Run(Recipe recipe, RunRequest? request = null, CancellationToken cancellation = default) =>
        RunFitting(RecipeFit.Require(recipe, model).Recipe, request ?? new(), cancellation);

    /// <summary>Runs a checked recipe. Only what the loaded model alone knows is still checked.</summary>
    /// <exception cref="RecipeException">The recipe does not fit the model.</exception>
    /// <exception cref="ModelException">The model cannot run it.</exception>
    /// <exception cref="SaeException">A feature or a mask does not exist at its site.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled between two stages.</exception>
    public RunOutcome Run(CheckedRecipe recipe, RunRequest? request = null, CancellationToken cancellation = default)
    {
        RecipeFit.Require(recipe, model);
        return RunFitting(recipe.Recipe, request ?? new(), cancellation);
    }

    public void Dispose() => _cache.Dispose();

    private RunOutcome RunFitting(Recipe recipe, RunRequest request, CancellationToken cancellation)
    {
        model.UseThreads();
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        using var plan = new SteeringPlan(recipe, model);
        var stages = new StageClock();
        var prefix = stages.Time("text", () => Begin(recipe, request.Recorder));
        var pass = new RecipePass(model, recipe, request, plan, prefix);
        var latents = stages.Time("unet", () => pass.Denoise(cancellation));
        if (!request.KeepPrefix)
            _cache.Remove(recipe);
        var picture = request.Picture ? stages.Time("decode", () => Decode(latents, request.Recorder, cancellation)) : null;
        return new RunOutcome(picture, new ActivationMaps(pass.Readings), stages.Timings);
    }

    private Prefix Begin(Recipe recipe, RunRecorder? recorder)
    {
        var request = ImageRequest.Of(recipe);
        using var text = new TextSteering(recipe, model);
        Prefix Make(Conditioning? encoded) => new(model.Model.Begin(request, encoded), text.Readings);
        if (recorder is null)
            return _cache.For(recipe, () => Make(null));
        var conditioning = model.Model.Encode(request);
        recorder.Keep("text.hidden", conditioning.Hidden);
        if (conditioning.Pooled is { } pooled)
            recorder.Keep("text.pooled", pooled);
        var prefix = _cache.For(recipe, () => Make(conditioning));
        recorder.Keep("noise", prefix.Run.StartNoise);
        return prefix;
    }

    private Picture Decode(Tensor latents, RunRecorder? recorder, CancellationToken cancellation)
    {
        var image = model.Model.Decode(latents, cancellation);
        recorder?.Keep("image", image);
        var pixels = Pixels.ToBytes(image);
        return new Picture((int)pixels.shape[2], (int)pixels.shape[1], 3, pixels.bytes.ToArray());
    }
}

/// <summary>Denoises one recipe: takes the steps before the first edit from the prefix, and runs the others with the edits.</summary>
internal sealed class RecipePass(LoadedModel model, Recipe recipe, RunRequest request, SteeringPlan plan, Prefix prefix)
{
    private readonly ISteerableModel _network = model.Model;
    private readonly Site[] _read = [.. request.Read.Where(site => !site.IsText)];
    private readonly Dictionary<(int Step, Site Site), SiteActivations> _readings = [];

    /// <summary>In the order in which a pass reaches the sites, then by step. Those of the text encoder are of step 0.</summary>
    public IEnumerable<SiteActivations> Readings => prefix.Text.Where(map => request.Read.Contains(map.Site)).Concat(
        _readings.Values.OrderBy(reading => _network.OrderOf(reading.Site)).ThenBy(reading => reading.Step));

    /// <summary>Returns the final latents, in the caller's dispose scope.</summary>
    public Tensor Denoise(CancellationToken cancellation)
    {
        var first = FirstStep();
        TakeReadingsBefore(first);
        var latents = first == recipe.Steps ? prefix.LatentsBefore(first)!.alias() : Denoise(first, cancellation);
        request.Recorder?.Keep("latents", latents);
        return latents;
    }

    private Tensor Denoise(int first, CancellationToken cancellation)
    {
        var latents = prefix.LatentsBefore(first) ?? prefix.Run.StartLatents();
        KeepLatents(first, latents);
        foreach (var step in prefix.Run.Denoise(first, latents, Predict, cancellation))
        {
            latents = step.After;
            KeepLatents(step.Index + 1, latents);
            request.Recorder?.Keep($"step.{step.Index}.latents", Scheduler.LatentsOf(latents));
            request.Progress?.Invoke(step.Index + 1, recipe.Steps);
        }
        return latents;
    }

    private bool IsWhole => request.Recorder is { NeedsWholeRun: true };

    // The first step with an edit.
    private int Edited => plan.FirstStep ?? recipe.Steps;

    // The latest step, up to the first edited one, whose latents and earlier readings are known.
    private int FirstStep()
    {
        if (IsWhole)
            return 0;
        var known = 0;
        for (var step = 1; step <= Edited && prefix.LatentsBefore(step) is not null; step++)
        {
            if (_read.Any(site => prefix.Reading(step - 1, site) is null))
                break;
            known = step;
        }
        return known;
    }

    private void TakeReadingsBefore(int first)
    {
        for (var step = 0; step < first; step++)
            foreach (var site in _read)
                _readings[(step, site)] = prefix.Reading(step, site)!;
    }

    private void KeepLatents(int step, Tensor before)
    {
        if (step <= Edited)
            prefix.KeepLatents(step, before);
    }

    private Tensor Predict(DenoisingInput input, CancellationToken cancellation)
    {
        var edits = plan.At(input.Step);
        using var hooks = new HookScopes();
        // Of a step that predicts twice, the first pass is read and kept. Edits act in both.
        if (!input.IsCorrection)
            foreach (var site in _read)
                hooks.Add(_network.Hook(site, (before, after) => Read(input.Step, site, before, after)));
        foreach (var (site, edit) in edits)
            hooks.Add(_network.Hook(site, edit.Apply));
        if (request.Recorder is { } recorder && !input.IsCorrection)
            hooks.Add(recorder.Watch(_network));

        if (input.IsCorrection || input.Step > Edited)
            return _network.Run(input, [], cancellation: cancellation).Output!;
        Site? start = edits.Count > 0 ? edits[0].Site : null;
        if (start is not null && !IsWhole && TryReadUpstream(input.Step, start) && prefix.State(input.Step, start) is { } state)
            return _network.Resume(state, cancellation);

        // States up to the first edited site are those of the unedited run, so the next recipe can use them.
        var capture = Captured(input.Step).Where(site => start is null || _network.OrderOf(site) <= _network.OrderOf(start)).ToList();
        var run = _network.Run(input, capture, cancellation: cancellation);
        prefix.KeepStates(input.Step, run.States);
        return run.Output!;
    }

    // States are held for one step only: the first with an edit, or the first of all.
    private IEnumerable<Site> Captured(int step)
    {
        if (step != (plan.FirstStep ?? 0))
            return [];
        return model.Saes.Keys.Concat(plan.At(step).Select(edit => edit.Site)).Distinct();
    }

    // Sites before the resumed one are not run again. Their readings without edits still hold.
    private bool TryReadUpstream(int step, Site start)
    {
        foreach (var site in _read.Where(site => _network.OrderOf(site) < _network.OrderOf(start)))
        {
            if (prefix.Reading(step, site) is { } known)
                _readings[(step, site)] = known;
            else if (prefix.State(step, site) is { } state)
                Read(step, site, state.Input, state.Output);
            else
                return false;
        }
        return true;
    }

    private Tensor Read(int step, Site site, Tensor input, Tensor output)
    {
        var reading = ActivationReader.Read(model.Saes[site], site, step, input, output, recipe.Guidance > 1 ? 1 : 0);
        _readings[(step, site)] = reading;
        if (step < Edited || (step == Edited && _network.OrderOf(site) <= _network.OrderOf(plan.At(step)[0].Site)))
            prefix.KeepReading(reading);
        return output;
    }

    private sealed class HookScopes : IDisposable
    {
        private readonly Stack<IDisposable> _scopes = [];

        public void Add(IDisposable scope) => _scopes.Push(scope);

        public void Add(IEnumerable<IDisposable> many)
        {
            foreach (var scope in many)
                _scopes.Push(scope);
        }

        public void Dispose()
        {
            while (_scopes.TryPop(out var scope))
                scope.Dispose();
        }
    }
}

/// <summary>A recipe's interventions and edits by step and site. Each is made once.</summary>
internal sealed class SteeringPlan : IDisposable
{
    private readonly Recipe _recipe;
    private readonly SaeSet _saes;
    private readonly Site[] _sites;
    private readonly Dictionary<(Site Site, string Active), BlockEdit> _made = [];

    public SteeringPlan(Recipe recipe, LoadedModel model)
    {
        (_recipe, _saes) = (recipe, model.Saes);
        var edited = recipe.Edits.Where(edit => edit.Enabled && !edit.Site.IsText).Select(edit => edit.Site);
        _sites = [.. recipe.Interventions.Select(intervention => intervention.Site).Concat(edited).Distinct().OrderBy(model.Model.OrderOf)];
        var steps = Enumerable.Range(0, recipe.Steps).Where(step => At(step).Count > 0);
        FirstStep = steps.Select(step => (int?)step).FirstOrDefault();
    }

    /// <summary>The first step with a change; null if there is none.</summary>
    public int? FirstStep { get; }

    /// <summary>The changes of one step, in the order in which a pass reaches their sites.</summary>
    public IReadOnlyList<(Site Site, BlockEdit Edit)> At(int step) =>
        [.. from site in _sites let edit = EditOf(site, step) where edit is not null select (site, edit)];

    public void Dispose()
    {
        foreach (var edit in _made.Values)
            edit.Dispose();
    }

    // Steps with the same edits share one block edit.
    private BlockEdit? EditOf(Site site, int step)
    {
        var whole = _recipe.Interventions.FirstOrDefault(intervention => intervention.Site == site);
        var painted = _recipe.Edits.Index().Where(edit => edit.Item.Site == site && edit.Item.ActsAt(step)).ToArray();
        if (whole is null && painted.Length == 0)
            return null;
        var key = (site, string.Join(',', painted.Select(edit => edit.Index)));
        if (!_made.TryGetValue(key, out var ready))
            _made[key] = ready = Make(whole, [.. painted.Select(edit => edit.Item)]);
        return ready;
    }

    private BlockEdit Make(SiteIntervention? whole, FeatureEdit[] painted)
    {
        var guided = _recipe.Guidance > 1;
        var visible = _recipe.Overlap == Overlap.Cover ? LayerCover.Visible(painted) : painted;
        var edits = visible.Select(edit => Edits.From(edit, _saes[edit.Site], guided));
        if (whole is not null)
            edits = edits.Prepend(whole is SiteIntervention.Ablate ? Edits.Ablate() : Edits.From(whole, _saes[whole.Site], guided));
        return Edits.Sequence(edits);
    }
}

/// <summary>
/// Reads and edits the text encoder while it encodes a recipe's prompts. The dictionaries of its layers read whole outputs [B, L, D], not
/// what a layer adds; a prompt is a grid of one row of tokens. As in Concept Steerers (arXiv 2501.19066), what an edit adds to the prompt
/// is subtracted from the negative prompt under guidance. Other modes change each of them by its own activations.
/// </summary>
internal sealed class TextSteering : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private readonly List<SiteActivations> _readings = [];

    public TextSteering(Recipe recipe, LoadedModel model)
    {
        foreach (var (site, dictionary) in model.TextSaes)
            _owned.Add(model.Model.HookText(site, (output, isNegative) => isNegative ? output : Read(dictionary, site, output)));
        foreach (var group in recipe.Edits.Where(edit => edit.Enabled && edit.Site.IsText).GroupBy(edit => edit.Site))
        {
            var dictionary = model.TextSaes[group.Key];
            var edits = recipe.Overlap == Overlap.Cover ? LayerCover.Visible([.. group]) : [.. group];
            var prompt = Edits.Sequence(edits.Select(edit => Edits.From(edit, dictionary, guided: false)));
            var negative = Edits.Sequence(edits.Select(edit => Edits.From(Opposite(edit), dictionary, guided: false)));
            _owned.AddRange([prompt, negative,
                model.Model.HookText(group.Key, (output, isNegative) => Apply(isNegative ? negative : prompt, output))]);
        }
    }

    /// <summary>The activations of every layer with a dictionary in the prompt, before the layer's own edits.</summary>
    public IReadOnlyList<SiteActivations> Readings => _readings;

    public void Dispose()
    {
        foreach (var one in _owned)
            one.Dispose();
    }

    private Tensor Read(IFeatureDictionary dictionary, Site site, Tensor output)
    {
        using var scope = NewDisposeScope();
        var grid = Grid(output);
        _readings.RemoveAll(map => map.Site == site);
        _readings.Add(ActivationReader.Read(dictionary, site, step: 0, zeros_like(grid), grid));
        return output;
    }

    private static Tensor Apply(BlockEdit edit, Tensor output)
    {
        using var scope = NewDisposeScope();
        var grid = Grid(output);
        return edit.Apply(zeros_like(grid), grid).squeeze(2).transpose(1, 2).contiguous().MoveToOuterDisposeScope();
    }

    // [B, L, D] as a grid [B, D, 1, L].
    private static Tensor Grid(Tensor states) => states.transpose(1, 2).unsqueeze(2);

    private static FeatureEdit Opposite(FeatureEdit edit) =>
        edit.Mode == EditMode.Add ? edit with { Strength = -edit.Strength } : edit;
}
