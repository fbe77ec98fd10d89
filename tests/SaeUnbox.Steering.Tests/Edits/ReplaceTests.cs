using SaeUnbox.Testing;
using static SaeUnbox.Steering.Tests.GoldenSaes;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

/// <summary>Replaced cells against their formula, computed in double precision cell by cell.</summary>
public sealed class ReplaceTests(GoldenModel model) : IClassFixture<GoldenModel>
{
    public static TheoryData<string, double, int, bool, double> Cases()
    {
        var cases = new TheoryData<string, double, int, bool, double>();
        foreach (var mode in (EditMode[])[EditMode.ReplaceNearest, EditMode.ReplaceMean])
        {
            cases.Add(mode.Name, 0, 0, false, 1);
            cases.Add(mode.Name, 0, 1, true, 1);
            cases.Add(mode.Name, 0.3, 0, true, 0.25);
            cases.Add(mode.Name, 0.3, 1, false, 7);
        }
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Apply_Replace_IsTheFormulaInBothHalves(string name, double threshold, int grow, bool isMasked, double strength)
    {
        using var scope = NewDisposeScope();
        var site = Sites().First().Data;
        using var sae = Load(site);
        var (input, output) = (Block("base", site, "input").select(1, 0), Block("base", site, "output").select(1, 0));
        var (rows, columns) = ((int)output.shape[2], (int)output.shape[3]);
        var features = Features(sae, input, output);
        Assert.True(EditMode.TryParse(name, out var mode));
        var recipe = new FeatureEdit(Site.Parse(site), features[0], strength)
        {
            Also = [.. features[1..]],
            Mode = mode,
            Threshold = threshold,
            Grow = grow,
            Mask = isMasked ? BrushMask.FromCells(rows, columns, [.. Enumerable.Range(0, rows * columns).Select(i => i % 4 / 4f)]) : null,
        };
        using var edit = Edits.From(recipe, sae, guided: true);

        var actual = edit.Apply(input, output);

        Assert.NotEqual(output.Floats(), actual.Floats());
        for (var picture = 0; picture < output.shape[0]; picture++)
        {
            using var codes = sae.Encode(BlockEdit.Difference(input, output)[picture]);
            var z = features.Select(feature => codes.Map(feature).Floats()).ToArray();
            var active = Enumerable.Range(0, rows * columns).Select(cell => z.Sum(map => (double)map[cell])).ToArray();
            var expected = Replaced(output[picture].Floats(), active, rows, columns, recipe);
            TensorAssert.Close(tensor(expected).view(output[picture].shape), actual[picture], 1e-5, $"picture {picture}");
        }
    }

    [Fact]
    public void Apply_NoCellWithoutTheFeature_ChangesNothing()
    {
        using var scope = NewDisposeScope();
        var site = Sites().First().Data;
        using var sae = Load(site);
        var (input, output) = (Block("base", site, "input").select(1, 0), Block("base", site, "output").select(1, 0));
        var recipe = new FeatureEdit(Site.Parse(site), Features(sae, input, output)[0], 1) { Mode = EditMode.ReplaceMean, Grow = 64 };
        using var edit = Edits.From(recipe, sae, guided: true);

        Assert.Equal(output.Floats(), edit.Apply(input, output).Floats());
    }

    [Theory]
    [InlineData("turbo1")]
    [InlineData("base")]
    public void Run_ReplacedAfterThePlainRecipe_GivesTheSameBitsAsAlone(string run)
    {
        var loaded = model.For(run);
        var plain = model.Recipe(run);
        using var warm = new RecipeRunner(loaded);
        var maps = warm.Run(plain, new RunRequest { Read = [Site.Details] }).Maps;
        var feature = maps.Find(Site.Details, plain.Steps - 1)!.Top(1)[0].Feature;
        foreach (var mode in EditMode.All.Where(mode => mode.FindsCells))
        {
            var recipe = plain with { Edits = [new FeatureEdit(Site.Details, feature, 1) { Mode = mode, Grow = 1 }] };
            using var fresh = new RecipeRunner(loaded);

            var resumed = warm.Run(recipe).Picture!;

            Assert.Equal(fresh.Run(recipe).Picture!.Pixels, resumed.Pixels);
        }
    }

    [Fact]
    public void From_SeveralFeatures_ScaleAndAddAsTheirSum()
    {
        using var scope = NewDisposeScope();
        var site = Sites().First().Data;
        using var sae = Load(site);
        var (input, output) = (Block("turbo1", site, "input").select(1, 0), Block("turbo1", site, "output").select(1, 0));
        var features = Features(sae, input, output);
        var recipe = new FeatureEdit(Site.Parse(site), features[0], 2) { Also = [.. features[1..]] };
        using var codes = sae.Encode(BlockEdit.Difference(input, output));
        Tensor Sum(Func<int, Tensor> amount) => features
            .Select(feature => amount(feature) * sae.Direction(feature).view(1, -1, 1, 1)).Aggregate(output, (sum, next) => sum.Plus(next));
        using var add = Edits.From(recipe, sae, guided: false);
        using var scale = Edits.From(recipe with { Mode = EditMode.Scale }, sae, guided: false);

        TensorAssert.Close(Sum(feature => tensor(2 * sae.MeanOf(feature))), add.Apply(input, output), 1e-5);
        TensorAssert.Close(Sum(feature => codes.Map(feature).unsqueeze(1).Times(2)), scale.Apply(input, output), 1e-5);
    }

    // Features that are active in some cells and not in most.
    private static int[] Features(SparseAutoencoder sae, Tensor input, Tensor output)
    {
        using var codes = sae.Encode(BlockEdit.Difference(input, output)[-1]);
        var cells = codes.Indices.shape[0] * codes.Indices.shape[1];
        return [.. codes.Indices.Integers().Zip(codes.Values.Floats()).Where(one => one.Second > 0).GroupBy(one => (int)one.First)
            .Where(group => group.Count() < cells / 4).OrderByDescending(group => group.Count()).ThenBy(group => group.Key).Take(2)
            .Select(group => group.Key)];
    }

    // values: [d, rows, columns].
    private static double[] Replaced(float[] values, double[] active, int rows, int columns, FeatureEdit edit)
    {
        var (cells, width) = (rows * columns, values.Length / (rows * columns));
        double[] Vector(int cell) => [.. Enumerable.Range(0, width).Select(channel => (double)values[(channel * cells) + cell])];
        int Far(int a, int b) => Math.Max(Math.Abs((a / columns) - (b / columns)), Math.Abs((a % columns) - (b % columns)));
        double Grown(int cell, Func<int, double> map) =>
            Enumerable.Range(0, cells).Where(other => Far(cell, other) <= edit.Grow).Max(map);
        double Found(int cell) => active[cell] > edit.Threshold ? 1 : 0;
        int[] free = [.. Enumerable.Range(0, cells).Where(cell => Grown(cell, Found) == 0)];
        var result = values.Select(value => (double)value).ToArray();
        for (var cell = 0; cell < cells; cell++)
        {
            var weight = Math.Min(edit.Strength, 1)
                * Grown(cell, other => Found(other) * (edit.Mask?.Cells[other] ?? 1));
            var source = edit.Mode == EditMode.ReplaceMean
                ? Sum(free.Select(other => (Vector(other), 1.0 / free.Length)))
                : weight > 0 ? Nearest(cell) : Vector(cell);
            for (var channel = 0; channel < width; channel++)
            {
                var at = (channel * cells) + cell;
                result[at] = ((1 - weight) * result[at]) + (weight * source[channel]);
            }
        }
        return result;

        double[] Nearest(int cell)
        {
            var around = Sum(free.Select(other => (Vector(other), 1 / (Length(Vector(other)) * Math.Pow(Squared(cell, other), 2)))));
            return free.Select(Vector).MaxBy(other => Dot(other, around) / Length(other))!;
        }

        double Length(double[] vector) => Math.Sqrt(Dot(vector, vector));

        double Squared(int a, int b) =>
            Math.Pow((a / columns) - (b / columns), 2) + Math.Pow((a % columns) - (b % columns), 2);
    }

    private static double[] Sum(IEnumerable<(double[] Vector, double Weight)> all) =>
        all.Select(one => one.Vector.Select(value => value * one.Weight).ToArray())
            .Aggregate((sum, next) => [.. sum.Zip(next, (a, b) => a + b)]);

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
}
