namespace SaeUnbox.Web.Components.Shared;

/// <summary>The range of a layer's slider, in the units of its mode. The field beside it takes every strength.</summary>
/// <param name="Min">The slider's left end.</param>
/// <param name="Max">The slider's right end.</param>
/// <param name="Step">The slider's step.</param>
/// <param name="Best">The strength that was measured to work best with these features; null if none was.</param>
public sealed record StrengthScale(double Min, double Max, double Step, double? Best)
{
    private const double Widest = 20;

    public static StrengthScale Of(FeatureEdit edit, IFeatureAtlas? atlas)
    {
        var best = Measured(edit, atlas);
        var scale = edit.Mode switch
        {
            { FindsCells: true } => new StrengthScale(0, 1, .05, best),
            { NeedsMean: true } when best is { } known => new(-2 * known, 3 * known, .5, best),
            { NeedsMean: true } => new(-Widest, Widest, .5, best),
            _ => new(-2, 4, .1, best),
        };
        return scale with { Min = Math.Min(scale.Min, edit.Strength), Max = Math.Max(scale.Max, edit.Strength) };
    }

    private static double? Measured(FeatureEdit edit, IFeatureAtlas? atlas) =>
        (from concept in atlas?.Concepts ?? []
         from site in concept.Sites
         where site.Site == edit.Site
         from effect in new[] { site.Painting, site.Removal }
         where effect is not null && effect.Mode == edit.Mode && site.Edit(effect).Features.SequenceEqual(edit.Features)
         select (double?)effect.Strength).FirstOrDefault();
}
