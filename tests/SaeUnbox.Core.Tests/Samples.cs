using FsCheck;
using FsCheck.Fluent;

namespace SaeUnbox.Core.Tests;

/// <summary>Generators of random valid values.</summary>
internal static class Samples
{
    private static readonly string[] Texts =
        ["", "a dog", "\"quoted\" \\ back", "tab\tline\n", "naïve café", "日本語", "👩‍🚀 in space", "\u2028\u0000", "</script><!--"];

    private static readonly double[] Scales = [1, 255, 256, 1024];

    public static Gen<Site> Sites { get; } =
        from section in Gen.Elements("down", "up")
        from block in Gen.Choose(0, 99)
        from attention in Gen.Choose(0, 99)
        from middle in Gen.Choose(0, 4)
        select Site.Parse(middle == 0 ? $"mid.{attention}" : $"{section}.{block}.{attention}");

    public static Gen<BrushMask> Masks { get; } =
        from rows in Gen.Choose(1, 24)
        from columns in Gen.Choose(1, 24)
        from levels in Gen.Choose(0, Scales.Length)
        from cells in Gen.ArrayOf(levels < Scales.Length ? Levels(Scales[levels]) : Fractions, rows * columns)
        select BrushMask.FromCells(rows, columns, cells);

    public static Gen<Recipe> Recipes { get; } =
        from names in Gen.Two(Gen.Elements("mini", "sdxl-turbo", "my model (v2)"))
        from texts in Gen.Two(Gen.Elements(Texts))
        from options in Gen.ArrayOf(Gen.Choose(0, 3), 5)
        from seed in Gen.OneOf(Gen.Choose(0, int.MaxValue).Select(s => (long)s), Gen.Elements(0, long.MaxValue, 1L << 53))
        from steps in Gen.Choose(1, 50)
        from guidance in Gen.Choose(0, 10_000)
        from sides in Gen.Two(Gen.Choose(1, 512))
        from edits in Gen.Choose(0, 5).SelectMany(count => Gen.ArrayOf(Edits(steps), count))
        from interventions in Gen.Choose(0, 3).SelectMany(count => Gen.ArrayOf(Interventions, count))
        from loras in Gen.Choose(0, 3).SelectMany(count => Gen.ArrayOf(Loras, count))
        select new Recipe
        {
            Model = names.Item1,
            Saes = options[0] == 0 ? names.Item2 : null,
            Prompt = texts.Item1,
            NegativePrompt = options[1] == 0 ? texts.Item2 : null,
            Seed = seed,
            Steps = steps,
            Guidance = guidance / 300.0,
            Width = sides.Item1 * 8,
            Height = sides.Item2 * 8,
            Dtype = options[2] < 3 ? (Dtype)options[2] : null,
            Vae = options[3] < 2 ? (Vae)options[3] : null,
            Overlap = options[4] == 0 ? Overlap.Cover : Overlap.Sum,
            Loras = loras.ToValueList(),
            Edits = edits.ToValueList(),
            Interventions = interventions.DistinctBy(i => i.Site).ToValueList(),
        };

    public static void ForAll<T>(Gen<T> gen, Func<T, bool> holds, int times = 200) =>
        Prop.ForAll(gen.ToArbitrary(), holds).Check(Config.QuickThrowOnFailure.WithMaxTest(times));

    private static Gen<RecipeLora> Loras { get; } =
        from name in Gen.Elements("style", "my LoRA (v2)", "日本語")
        from scale in Gen.Choose(-3_000_000, 3_000_000)
        from hash in Gen.Choose(0, int.MaxValue)
        select new RecipeLora(name, scale / 700_000.0, $"{hash:x16}");

    private static Gen<SiteIntervention> Interventions { get; } =
        from site in Sites
        from kind in Gen.Choose(0, 2)
        from feature in Gen.Choose(0, 5119)
        select kind switch
        {
            0 => new SiteIntervention.Reconstruct(site),
            1 => new SiteIntervention.Ablate(site),
            _ => (SiteIntervention)new SiteIntervention.Icon(site, feature),
        };

    private static Gen<float> Fractions { get; } =
        Gen.Choose(0, int.MaxValue).Select(bits => (float)(bits / (double)int.MaxValue));

    private static Gen<float> Levels(double scale) => Gen.Choose(0, (int)scale).Select(level => (float)(level / scale));

    private static Gen<FeatureEdit> Edits(int steps) =>
        from site in Sites
        from feature in Gen.Choose(0, int.MaxValue)
        from strength in Gen.Choose(-4_000_000, 4_000_000)
        from also in Gen.ArrayOf(Gen.Choose(0, 5119)).OrNull()
        let others = (also ?? []).Distinct().Where(other => other != feature).ToArray()
        from mode in Gen.Elements(EditMode.All.ToArray())
        from weights in Gen.ArrayOf(Gen.Choose(-1000, 1000), others.Length + 1).OrNull()
        from threshold in Gen.Choose(0, 3000)
        from grow in Gen.Choose(0, 3)
        from mask in Masks.OrNull()
        from first in Gen.Choose(0, steps - 1)
        from length in Gen.Choose(0, steps - first)
        from enabled in Gen.Elements(true, true, false)
        from name in Gen.Elements(Texts).OrNull()
        select new FeatureEdit(site, feature, strength / 100_000.0)
        {
            Also = [.. others],
            Weights = [.. mode.FindsCells || weights is null ? [] : weights.Select(weight => weight / 1000.0)],
            Mode = mode,
            Mask = mask,
            Threshold = mode.FindsCells ? threshold / 300.0 : 0,
            Grow = mode.FindsCells ? grow : 0,
            FirstStep = first,
            LastStep = length == 0 ? null : first + length,
            Enabled = enabled,
            Name = name,
        };
}
