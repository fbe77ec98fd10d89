using System.Globalization;

namespace SaeUnbox.Steering;

/// <summary>
/// Makes block edits. d_f is a feature's direction and mean_f its mean activation in the site's dictionary. A mask is a grid [h, w] of
/// values from 0 to 1; null means 1 everywhere.
/// </summary>
public static class Edits
{
    /// <summary>Paints a feature: output + mask * mean_f * strength * d_f.</summary>
    public static BlockEdit Add(
        IFeatureDictionary sae, int feature, double strength, Tensor? mask = null, Guidance guidance = Guidance.None) =>
        AddValue(sae, feature, sae.MeanOf(feature) * Finite(strength), mask, guidance);

    /// <summary>output + mask * value * d_f, without the feature's mean.</summary>
    public static BlockEdit AddValue(
        IFeatureDictionary sae, int feature, double value, Tensor? mask = null, Guidance guidance = Guidance.None) =>
        new DeltaEdit(Delta(sae, feature, Finite(value), mask), guidance, ontoInput: false);

    /// <summary>Scales a feature: output + beta * mask * z_f * d_f. A beta of -1 removes it.</summary>
    public static BlockEdit Scale(IFeatureDictionary sae, int feature, double beta, Tensor? mask = null) =>
        Scale(sae, [new WeightedFeature(feature, 1)], beta, mask);

    /// <summary>Scales several features: output + beta * mask * sum of w_f * z_f * d_f, with the weights w_f.</summary>
    public static BlockEdit Scale(IFeatureDictionary sae, IEnumerable<WeightedFeature> features, double beta, Tensor? mask = null)
    {
        WeightedFeature[] all = [.. features];
        Existing(sae, all.Select(one => one.Feature));
        return new ScaleEdit(sae, [.. all.Select(one => (one.Feature, (float)(Finite(beta) * one.Weight)))],
            mask is null ? null : Mask(mask, sae.Device));
    }

    /// <summary>
    /// Replaces the cells of an edit's features by cells of the same map (<see cref="ReplaceEdit"/>). The edit gives features, strength,
    /// threshold and growth.
    /// </summary>
    internal static BlockEdit Replace(IFeatureDictionary sae, FeatureEdit edit, Tensor? mask, Replacement replacement) =>
        new ReplaceEdit(sae, Existing(sae, edit.Features), replacement)
        {
            Threshold = edit.Threshold,
            Grow = edit.Grow,
            Share = Math.Clamp(Finite(edit.Strength), 0, 1),
            Mask = mask is null ? null : Mask(mask, sae.Device),
        };

    /// <summary>
    /// Draws a feature's icon: input + mean_f * strength * d_f at every position. Under guidance the unconditional half is the plain
    /// input.
    /// </summary>
    /// <param name="sae">The site's autoencoder.</param>
    /// <param name="strength">Null for the dictionary's k, as in the reference.</param>
    /// <param name="guided">Whether the batch is [unconditional, conditional].</param>
    public static BlockEdit Icon(IFeatureDictionary sae, int feature, double? strength = null, bool guided = false) =>
        new DeltaEdit(
            Delta(sae, feature, sae.MeanOf(feature) * Finite(strength ?? sae.K), mask: null),
            guided ? Guidance.ConditionalOnly : Guidance.None,
            ontoInput: true);

    /// <summary>Replaces the block's contribution by its reconstruction.</summary>
    public static BlockEdit Reconstruct(IFeatureDictionary sae) => new ReconstructEdit(sae);

    /// <summary>Removes the block's contribution.</summary>
    public static BlockEdit Ablate() => new AblateEdit();

    /// <summary>Makes a recipe's edit. The caller decides whether it acts at a step (<see cref="FeatureEdit.ActsAt"/>).</summary>
    public static BlockEdit From(FeatureEdit edit, IFeatureDictionary sae, bool guided)
    {
        using var scope = NewDisposeScope();
        var mask = edit.Mask is { } cells ? GridTensor(cells) : null;
        return EditKind.Of(edit.Mode).Make(edit, sae, mask, guided);
    }

    /// <summary>Makes a recipe's intervention on a whole site.</summary>
    public static BlockEdit From(SiteIntervention intervention, IFeatureDictionary sae, bool guided) => intervention switch
    {
        SiteIntervention.Reconstruct => Reconstruct(sae),
        SiteIntervention.Ablate => Ablate(),
        SiteIntervention.Icon icon => Icon(sae, icon.Feature, guided: guided),
        _ => throw new SaeException($"The intervention {intervention.GetType().Name} is unknown."),
    };

    /// <summary>
    /// Combines edits of one block into one edit, which owns them. Each gets the output of the one before and the same input. Consecutive
    /// edits that only add are merged into one sum.
    /// </summary>
    public static BlockEdit Sequence(IEnumerable<BlockEdit> edits)
    {
        var merged = new List<BlockEdit>();
        foreach (var edit in edits)
        {
            if (merged.LastOrDefault() is DeltaEdit last && edit is DeltaEdit next && DeltaEdit.Merge(last, next) is { } sum)
            {
                last.Dispose();
                next.Dispose();
                merged[^1] = sum;
            }
            else
            {
                merged.Add(edit);
            }
        }

        return merged.Count == 1 ? merged[0] : new EditSequence(merged);
    }

    /// <summary>Returns a mask's cells as a tensor [rows, columns] float32.</summary>
    public static Tensor GridTensor(BrushMask mask) =>
        tensor(mask.Cells.ToArray(), dtype: ScalarType.Float32).view(mask.Rows, mask.Columns);

    private static Tensor Delta(IFeatureDictionary sae, int feature, double value, Tensor? mask)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var direction = sae.Direction(feature).view(1, -1, 1, 1);
        var amount = mask is null
            ? tensor((float)value, dtype: ScalarType.Float32, device: sae.Device)
            : Mask(mask, sae.Device).Times((float)value);
        return (direction * amount).MoveToOuterDisposeScope();
    }

    private static Tensor Mask(Tensor mask, Device device) => mask.shape.Length == 2
        ? mask.to(device).to(ScalarType.Float32).clone()
        : throw new SaeException($"A mask is a grid [h, w], not [{string.Join(", ", mask.shape)}].");

    private static int[] Existing(IFeatureDictionary sae, IEnumerable<int> features)
    {
        int[] all = [.. features];
        foreach (var feature in all)
            sae.RequireFeature(feature);
        return all;
    }

    private static double Finite(double strength) => double.IsFinite(strength)
        ? strength
        : throw new SaeException(string.Create(CultureInfo.InvariantCulture, $"A strength must be a finite number, not {strength}."));
}

/// <summary>Makes the edits of one <see cref="EditMode"/>. Every class in this assembly that derives from it is used.</summary>
internal abstract class EditKind
{
    private static readonly Dictionary<EditMode, EditKind> Kinds = typeof(EditKind).Assembly.GetTypes()
        .Where(type => type.IsSubclassOf(typeof(EditKind)))
        .Select(type => (EditKind)Activator.CreateInstance(type)!)
        .ToDictionary(kind => kind.Mode);

    public abstract EditMode Mode { get; }

    public static EditKind Of(EditMode mode) => Kinds[mode];

    /// <param name="edit">The edit; its strength is s.</param>
    /// <param name="dictionary">The site's dictionary.</param>
    /// <param name="mask">The edit's mask as a grid [h, w]; null for everywhere.</param>
    /// <param name="guided">Whether the batch is [unconditional, conditional].</param>
    public abstract BlockEdit Make(FeatureEdit edit, IFeatureDictionary dictionary, Tensor? mask, bool guided);
}

internal sealed class AddKind : EditKind
{
    public override EditMode Mode => EditMode.Add;

    public override BlockEdit Make(FeatureEdit edit, IFeatureDictionary dictionary, Tensor? mask, bool guided) =>
        Edits.Sequence(edit.Weighted.Select(one =>
            Edits.Add(dictionary, one.Feature, edit.Strength * one.Weight, mask, guided ? Guidance.Contrast : Guidance.None)));
}

internal sealed class ScaleKind : EditKind
{
    public override EditMode Mode => EditMode.Scale;

    public override BlockEdit Make(FeatureEdit edit, IFeatureDictionary dictionary, Tensor? mask, bool guided) =>
        Edits.Scale(dictionary, edit.Weighted, edit.Strength, mask);
}

internal sealed class ReplaceNearestKind : EditKind
{
    public override EditMode Mode => EditMode.ReplaceNearest;

    public override BlockEdit Make(FeatureEdit edit, IFeatureDictionary dictionary, Tensor? mask, bool guided) =>
        Edits.Replace(dictionary, edit, mask, Replacement.Nearest);
}

internal sealed class ReplaceMeanKind : EditKind
{
    public override EditMode Mode => EditMode.ReplaceMean;

    public override BlockEdit Make(FeatureEdit edit, IFeatureDictionary dictionary, Tensor? mask, bool guided) =>
        Edits.Replace(dictionary, edit, mask, Replacement.Mean);
}
