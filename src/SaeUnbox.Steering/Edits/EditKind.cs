using static TorchSharp.torch;

namespace SaeUnbox.Steering;

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
        Edits.Sequence(edit.Features.Select(feature =>
            Edits.Add(dictionary, feature, edit.Strength, mask, guided ? Guidance.Contrast : Guidance.None)));
}

internal sealed class ScaleKind : EditKind
{
    public override EditMode Mode => EditMode.Scale;

    public override BlockEdit Make(FeatureEdit edit, IFeatureDictionary dictionary, Tensor? mask, bool guided) =>
        Edits.Scale(dictionary, edit.Features, edit.Strength, mask);
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
