using System.Globalization;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>
/// Makes the edits of a block. Directions d_f and strengths come from the site's autoencoder; masks are the block's grid
/// [h, w] with values from 0 to 1, null meaning 1 everywhere.
/// </summary>
public static class Edits
{
    /// <summary>Paints: output + mask * mean_f * strength * d_f; under guidance the conditional half gains what the other loses.</summary>
    public static BlockEdit Add(
        IFeatureDictionary sae, int feature, double strength, Tensor? mask = null, Guidance guidance = Guidance.None) =>
        AddValue(sae, feature, sae.MeanOf(feature) * Finite(strength), mask, guidance);

    /// <summary>output + mask * value * d_f, without the feature's mean.</summary>
    public static BlockEdit AddValue(
        IFeatureDictionary sae, int feature, double value, Tensor? mask = null, Guidance guidance = Guidance.None) =>
        new DeltaEdit(Delta(sae, feature, Finite(value), mask), guidance, ontoInput: false);

    /// <summary>Modulates: output + beta * mask * z_f * d_f; beta -1 removes the feature.</summary>
    public static BlockEdit Scale(IFeatureDictionary sae, int feature, double beta, Tensor? mask = null)
    {
        sae.RequireFeature(feature);
        return new ScaleEdit(sae, feature, (float)Finite(beta), mask is null ? null : Mask(mask, sae.Device));
    }

    /// <summary>
    /// A feature's portrait: input + mean_f * strength * d_f at every position; under guidance the unconditional half is
    /// its plain input.
    /// </summary>
    /// <param name="sae">The site's autoencoder.</param>
    /// <param name="feature">The feature shown.</param>
    /// <param name="strength">The autoencoder's k where null, as the reference does.</param>
    /// <param name="guided">Whether the batch is [unconditional, conditional].</param>
    public static BlockEdit Icon(IFeatureDictionary sae, int feature, double? strength = null, bool guided = false) =>
        new DeltaEdit(
            Delta(sae, feature, sae.MeanOf(feature) * Finite(strength ?? sae.K), mask: null),
            guided ? Guidance.ConditionalOnly : Guidance.None,
            ontoInput: true);

    /// <summary>Replaces the block's contribution by the autoencoder's reconstruction of it.</summary>
    public static BlockEdit Reconstruct(IFeatureDictionary sae) => new ReconstructEdit(sae);

    /// <summary>Takes the block's contribution away.</summary>
    public static BlockEdit Ablate() => new AblateEdit();

    /// <summary>A recipe's edit; whether it acts at a step is the recipe's (<see cref="FeatureEdit.ActsAt"/>).</summary>
    public static BlockEdit From(FeatureEdit edit, IFeatureDictionary sae, bool guided)
    {
        using var scope = NewDisposeScope();
        var mask = edit.Mask is { } cells ? GridTensor(cells) : null;
        return EditKind.Of(edit.Mode).Make(edit, sae, mask, guided);
    }

    /// <summary>A recipe's intervention on a whole block.</summary>
    public static BlockEdit From(SiteIntervention intervention, IFeatureDictionary sae, bool guided) => intervention switch
    {
        SiteIntervention.Reconstruct => Reconstruct(sae),
        SiteIntervention.Ablate => Ablate(),
        SiteIntervention.Icon icon => Icon(sae, icon.Feature, guided: guided),
        _ => throw new SaeException($"The intervention {intervention.GetType().Name} is unknown."),
    };

    /// <summary>
    /// Several edits of one block as one, which owns them. Each sees the output of those before it and the same input;
    /// neighbours that only add become one sum.
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

    /// <summary>A mask's cells as a tensor [rows, columns] float32.</summary>
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

    private static double Finite(double strength) => double.IsFinite(strength)
        ? strength
        : throw new SaeException(string.Create(CultureInfo.InvariantCulture, $"A strength must be a finite number, not {strength}."));
}
