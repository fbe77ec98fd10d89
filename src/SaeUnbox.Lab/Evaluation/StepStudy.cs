using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Follows features over the steps of a run: how active they are at each step, and what editing them from one step to another does. Which
/// steps decide what is a question of Tinaz et al. (arXiv 2504.15473). Not safe for several threads at once.
/// </summary>
/// <param name="model">A model with autoencoders. The caller disposes it.</param>
/// <param name="recipe">The picture without the edits to study.</param>
public sealed class StepStudy(LoadedModel model, Recipe recipe) : IDisposable
{
    private readonly RecipeRunner _runner = new(model, prefixes: 1);
    private readonly RunRecorder _record = new([]);
    private RunOutcome? _plain;

    /// <summary>The picture, and the activations of all sites at every step.</summary>
    public RunOutcome Plain(CancellationToken cancellation = default) => _plain ??=
        _runner.Run(recipe, new RunRequest { Read = [.. model.Saes.Keys], Recorder = _record }, cancellation);

    /// <summary>How active features are at each step.</summary>
    public IReadOnlyList<StepActivation> Activations(Site site, IReadOnlyCollection<int> features,
        CancellationToken cancellation = default) =>
    [
        .. from map in Plain(cancellation).Maps.All
           where map.Site == site
           select new StepActivation(site, map.Step, features.Sum(feature => map.Map(feature).Average(value => (double)value)),
               ShareOf(map, features), map.ExplainedVariance),
    ];

    /// <summary>Makes edits act from one step to another only, for each such window.</summary>
    /// <param name="edits">At least one. Their own steps are ignored.</param>
    /// <param name="bounds">Steps at which a window may begin or end, rising, see <see cref="Bounds"/>.</param>
    public IEnumerable<StepWindow> Windows(IReadOnlyList<FeatureEdit> edits, IReadOnlyList<int> bounds,
        CancellationToken cancellation = default)
    {
        var plain = Plain(cancellation);
        foreach (var (i, first) in bounds.Index())
            foreach (var last in bounds.Skip(i + 1))
            {
                var edited = edits.Select(edit => edit with { FirstStep = first, LastStep = last, Enabled = true });
                using var recorder = new RunRecorder([]);
                var outcome = _runner.Run(recipe with { Edits = [.. recipe.Edits, .. edited] }, new RunRequest { Recorder = recorder },
                    cancellation);
                yield return new(first, last, FinalShare(Seen(recorder, cancellation), edits) - FinalShare(plain.Maps, edits),
                    PictureChange.Between(plain.Picture!, outcome.Picture!).Mean);
            }
    }

    /// <summary>Divides a run into equal parts of whole steps: their bounds, from 0 to the number of steps.</summary>
    /// <param name="parts">At most this many parts.</param>
    public static IReadOnlyList<int> Bounds(int steps, int parts) =>
        [.. Enumerable.Range(0, Math.Min(parts, steps) + 1).Select(i => (int)Math.Round((double)i * steps / Math.Min(parts, steps)))];

    /// <summary>
    /// The window where edits work best: the shortest of those with at least 9/10 of the largest effect in the direction that the edits
    /// want, and of equally short ones the one with the largest; null if they have no such effect.
    /// </summary>
    /// <param name="edits">At least one. The first decides whether features are put in or removed.</param>
    public static StepWindow? Best(IEnumerable<StepWindow> windows, IReadOnlyList<FeatureEdit> edits)
    {
        const double enough = 0.9;
        var sign = edits[0].Mode.FindsCells || edits[0].Strength < 0 ? -1 : 1;
        var successes = windows.Select(window => (Window: window, Effect: sign * window.Effect)).Where(one => one.Effect > 0).ToArray();
        return successes.Where(one => one.Effect >= enough * successes.Max(other => other.Effect))
            .OrderBy(one => one.Window.Last - one.Window.First).ThenByDescending(one => one.Effect).ThenBy(one => one.Window.First)
            .FirstOrDefault().Window;
    }

    public void Dispose()
    {
        _runner.Dispose();
        _record.Dispose();
    }

    // The features' share of all activation in the last step, summed over sites.
    private double FinalShare(ActivationMaps maps, IReadOnlyList<FeatureEdit> edits) => edits.GroupBy(edit => edit.Site)
        .Sum(site => ShareOf(maps.Find(site.Key, recipe.Steps - 1)!, [.. site.SelectMany(edit => edit.Features).Distinct()]));

    // Reads an edited picture without its edits. The latents before the plain run's last step are its picture and noise; the difference of
    // the two pictures gives the same noise on the edited one.
    private ActivationMaps Seen(RunRecorder edited, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var (network, last) = (model.Model, recipe.Steps - 1);
        using var run = network.Begin(ImageRequest.Of(recipe));
        var before = last > 0 ? _record[$"step.{last - 1}.latents"].to(run.StartNoise.device) : run.StartLatents();
        var change = (edited["latents"] - _record["latents"]).to(before.device);
        var readings = new List<SiteActivations>();
        var hooks = model.Saes.Select(sae => network.Hook(sae.Key, (input, output) =>
        {
            readings.Add(ActivationReader.Read(sae.Value, sae.Key, last, input, output, run.Request.IsGuided ? 1 : 0));
            return output;
        })).ToArray();
        try
        {
            using (network.Run(run.InputOf(last, before.Plus(change)), [model.Saes.Keys.Last()], stop: true, cancellation))
                return new(readings);
        }
        finally
        {
            foreach (var hook in hooks)
                hook.Dispose();
        }
    }

    private static double ShareOf(SiteActivations map, IReadOnlyCollection<int> features)
    {
        double own = 0, all = 0;
        for (var i = 0; i < map.Values.Length; i++)
        {
            all += map.Values[i];
            if (features.Contains(map.Indices[i]))
                own += map.Values[i];
        }
        return all > 0 ? own / all : 0;
    }
}

/// <summary>The activity of some features of a site at one step.</summary>
/// <param name="Mean">The sum of their mean activations over the grid.</param>
/// <param name="Share">Their share of all activation of the site.</param>
/// <param name="ExplainedVariance">That of the whole dictionary, see <see cref="SiteActivations.ExplainedVariance"/>.</param>
public sealed record StepActivation(Site Site, int Step, double Mean, double Share, double? ExplainedVariance);

/// <summary>What edits do that act in some steps only.</summary>
/// <param name="First">The first of these steps.</param>
/// <param name="Last">The step before which they end.</param>
/// <param name="Effect">
/// By how much the share of all activation grows that the edits' features have when the model sees the edited picture without edits:
/// with the noise of the run's last step on it, at that step, summed over sites.
/// </param>
/// <param name="Change">The mean change of the picture, 0 to 1.</param>
public sealed record StepWindow(int First, int Last, double Effect, double Change);
