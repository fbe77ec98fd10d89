using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>A way to find an element in the cells of a site, and to put it in or take it out there.</summary>
internal abstract class SteeringMethod
{
    public const string Prompt = "prompt";

    /// <summary>The names of all methods, in the order of the tables.</summary>
    public static IReadOnlyList<string> Names { get; } =
        ["feature", "concept", "difference of means", "neuron", "replace-nearest", "replace-mean", Prompt];

    public abstract string Name { get; }

    /// <summary>Scores of cells; null if the method finds no cells of its own.</summary>
    public virtual float[]? Scores(SiteCells cells) => null;

    /// <summary>The strengths to choose from; empty if the method cannot do this.</summary>
    public abstract IReadOnlyList<double> Strengths(SteeringTask task);

    /// <summary>The edit, for all cells. The caller disposes it.</summary>
    public abstract BlockEdit Edit(SteeringTask task, double strength);

    /// <summary>All methods that act at a site.</summary>
    /// <param name="found">What stands for the element at the site.</param>
    /// <param name="guided">Whether pictures are made with guidance.</param>
    public static IReadOnlyList<SteeringMethod> At(SiteFindings found, IFeatureDictionary dictionary, bool guided)
    {
        IReadOnlyList<int> concept = [.. found.Concept.Select(one => one.Feature)];
        var alone = new float[found.Difference.Count];
        alone[found.Neuron] = found.Difference[found.Neuron];
        return
        [
            new FeatureMethod("feature", found.Site, [found.Feature], dictionary, guided) { PaintStrengths = [2, 4, 8] },
            new FeatureMethod("concept", found.Site, concept, dictionary, guided) { PaintStrengths = [1, 2, 4] },
            new DirectionMethod("difference of means", [.. found.Difference], guided)
            {
                PaintStrengths = [1, 2, 4],
                RemoveStrengths = [1, 2, 4],
            },
            new DirectionMethod("neuron", alone, guided) { PaintStrengths = [4, 16, 64], RemoveStrengths = [4, 16, 64] },
            new ReplaceMethod(EditMode.ReplaceNearest, found, dictionary, guided),
            new ReplaceMethod(EditMode.ReplaceMean, found, dictionary, guided),
        ];
    }

    protected static float[] Values(Tensor cells) => cells.to_type(ScalarType.Float32).cpu().contiguous().data<float>().ToArray();
}

/// <summary>Features of the dictionary: the sum of their activations finds cells; "add" paints, "scale" with -strength removes.</summary>
internal sealed class FeatureMethod(string name, Site site, IReadOnlyList<int> features, IFeatureDictionary dictionary, bool guided)
    : SteeringMethod
{
    public override string Name => name;

    public required IReadOnlyList<double> PaintStrengths { get; init; }

    public override float[] Scores(SiteCells cells)
    {
        using var scope = NewDisposeScope();
        return Values(features.Select(cells.Codes.Map).Aggregate((sum, next) => sum.Plus(next)));
    }

    public override IReadOnlyList<double> Strengths(SteeringTask task) =>
        task == SteeringTask.Remove ? [1, 2] : dictionary.Scale is null ? [] : PaintStrengths;

    public override BlockEdit Edit(SteeringTask task, double strength) => Edits.From(
        new FeatureEdit(site, features[0], task == SteeringTask.Paint ? strength : -strength)
        {
            Also = features.Skip(1).ToValueList(),
            Mode = task == SteeringTask.Paint ? EditMode.Add : EditMode.Scale,
        }, dictionary, guided);
}

/// <summary>
/// A direction in the block's output: its projection finds cells; strength times the direction is added to paint, and subtracted to remove.
/// </summary>
internal sealed class DirectionMethod(string name, float[] direction, bool guided) : SteeringMethod
{
    public override string Name => name;

    public required IReadOnlyList<double> PaintStrengths { get; init; }

    public required IReadOnlyList<double> RemoveStrengths { get; init; }

    public override float[] Scores(SiteCells cells)
    {
        using var scope = NewDisposeScope();
        return Values(cells.Outputs.mv(tensor(direction)));
    }

    public override IReadOnlyList<double> Strengths(SteeringTask task) => task == SteeringTask.Paint ? PaintStrengths : RemoveStrengths;

    public override BlockEdit Edit(SteeringTask task, double strength)
    {
        using var scope = NewDisposeScope();
        var delta = tensor(direction).Times(task == SteeringTask.Paint ? strength : -strength).view(1, -1, 1, 1);
        return new DeltaEdit(delta, guided ? Guidance.Contrast : Guidance.None, ontoInput: false);
    }
}

/// <summary>
/// The concept's features find cells above the threshold that detection chose, grown by one; the block's output there is replaced by that
/// of other cells of the same picture.
/// </summary>
internal sealed class ReplaceMethod(EditMode mode, SiteFindings found, IFeatureDictionary dictionary, bool guided) : SteeringMethod
{
    private const int Grow = 1;

    public override string Name => mode.Name;

    public override IReadOnlyList<double> Strengths(SteeringTask task) => task == SteeringTask.Remove ? [1] : [];

    public override BlockEdit Edit(SteeringTask task, double strength) => Edits.From(
        new FeatureEdit(found.Site, found.Concept[0].Feature, strength)
        {
            Also = found.Concept.Skip(1).Select(one => one.Feature).ToValueList(),
            Mode = mode,
            // A cell is found above the threshold, not at it.
            Threshold = Math.Max(0, Math.BitDecrement((float)found.ConceptThreshold)),
            Grow = Grow,
        }, dictionary, guided);
}

/// <summary>What stands for an element at a site, as found on the pictures for selection.</summary>
/// <param name="Feature">The feature with the largest correlation with the element's cells.</param>
/// <param name="Correlation">That correlation.</param>
/// <param name="Concept">The features with the largest difference of shares, see <see cref="ConceptTally"/>; at least one.</param>
/// <param name="ConceptThreshold">The sum of their activations that gives the largest intersection over union.</param>
/// <param name="Difference">Mean output of the block in the element's cells, less that in other cells: [d].</param>
/// <param name="Neuron">The channel of the output with the largest correlation, up or down.</param>
public sealed record SiteFindings(Site Site, int Feature, double Correlation, IReadOnlyList<ConceptFeature> Concept,
    double ConceptThreshold, IReadOnlyList<float> Difference, int Neuron);
