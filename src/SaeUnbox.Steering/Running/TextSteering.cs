using static TorchSharp.torch;

namespace SaeUnbox.Steering;

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
