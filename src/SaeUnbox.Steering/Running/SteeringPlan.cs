namespace SaeUnbox.Steering;

/// <summary>Which change acts at which site in which step: a recipe's interventions and edits, made ready once.</summary>
internal sealed class SteeringPlan : IDisposable
{
    private readonly Recipe recipe;
    private readonly SaeSet saes;
    private readonly HookSite[] sites;
    private readonly Dictionary<(HookSite Site, string Active), BlockEdit> made = [];

    public SteeringPlan(Recipe recipe, SaeSet saes)
    {
        (this.recipe, this.saes) = (recipe, saes);
        var edited = recipe.Edits.Where(edit => edit.Enabled).Select(edit => edit.Site);
        sites = [.. recipe.Interventions.Select(intervention => intervention.Site).Concat(edited).Distinct().Order()];
        var steps = Enumerable.Range(0, recipe.Steps).Where(step => At(step).Count > 0);
        FirstStep = steps.Select(step => (int?)step).FirstOrDefault();
    }

    /// <summary>The first step that anything is changed in; null where nothing is.</summary>
    public int? FirstStep { get; }

    /// <summary>The changes of one step, in the order of the walk.</summary>
    public IReadOnlyList<(HookSite Site, BlockEdit Edit)> At(int step) =>
        [.. from site in sites let edit = EditOf(site, step) where edit is not null select (site, edit)];

    public void Dispose()
    {
        foreach (var edit in made.Values) edit.Dispose();
    }

    // Steps in which the same edits act share one block edit.
    private BlockEdit? EditOf(HookSite site, int step)
    {
        var whole = recipe.Interventions.FirstOrDefault(intervention => intervention.Site == site);
        var painted = recipe.Edits.Index().Where(edit => edit.Item.Site == site && edit.Item.ActsAt(step)).ToArray();
        if (whole is null && painted.Length == 0) return null;
        var key = (site, string.Join(',', painted.Select(edit => edit.Index)));
        if (!made.TryGetValue(key, out var ready)) made[key] = ready = Make(whole, [.. painted.Select(edit => edit.Item)]);
        return ready;
    }

    private BlockEdit Make(SiteIntervention? whole, FeatureEdit[] painted)
    {
        var guided = recipe.Guidance > 1;
        var edits = painted.Select(edit => Edits.From(edit, saes[edit.Site], guided));
        if (whole is not null) edits = edits.Prepend(whole is SiteIntervention.Ablate ? Edits.Ablate() : Edits.From(whole, saes[whole.Site], guided));
        return Edits.Sequence(edits);
    }
}
