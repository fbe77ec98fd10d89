using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests.Evaluation;

/// <summary>The protocol's ranking and transport against its formulas, in float64.</summary>
public sealed class RieProtocolTests(GoldenModel golden) : IClassFixture<GoldenModel>
{
    private const string Golden = "turbo4";
    private const int Steps = 2;

    private static readonly RiePair Pair = new("a red house", "a green boat",
        BrushMask.FromCells(1, 2, [1, 0]), BrushMask.FromCells(2, 2, [1, 1, 0, 1]));

    private LoadedModel Model => golden.For(Golden);

    [Fact]
    public void Rank_FeaturesOfAllSites_FollowTheDifferenceOfShares()
    {
        var ranked = new RieProtocol(Model, new() { Steps = Steps }).Rank(Pair);

        var (with, without) = (FeatureMeans(Pair.Edited, Pair.EditedMask!), FeatureMeans(Pair.Original, Pair.OriginalMask!));
        var (allWith, allWithout) = (with.Values.Sum(), without.Values.Sum());
        Assert.Equal(with.Keys.Select(InOrder).Order(), ranked.Select(one => InOrder((one.Site, one.Feature))).Order());
        Assert.All(ranked, one => Assert.Equal(
            (with[(one.Site, one.Feature)] / allWith) - (without[(one.Site, one.Feature)] / allWithout), one.Score, 1e-6));
        Assert.All(ranked.Zip(ranked.Skip(1)), pair => Assert.True(pair.First.Score >= pair.Second.Score));
    }

    [Theory]
    [InlineData(3, 2)]
    [InlineData(8, -1)]
    public void Measure_Features_AddsTheBestAndTakesTheWorstAway(int count, double strength)
    {
        var protocol = new RieProtocol(Model, new() { Steps = Steps, Counts = [count], Strengths = [strength] });
        var row = protocol.Measure(Pair).Single(row => row.Method == RieProtocol.Features);

        using var scope = NewDisposeScope();
        var ranked = protocol.Rank(Pair);
        var (edited, original) = (Maps(Pair.Edited), Maps(Pair.Original));
        var picture = Paint(Pair.Original, (site, step, output) =>
        {
            var sum = new double[output.shape[2] * output.shape[3], output.shape[1]];
            Add(ranked.Take(count), edited.Find(site, step)!, Pair.EditedMask!, strength);
            Add(ranked.TakeLast(count), original.Find(site, step)!, Pair.OriginalMask!, -strength);
            return output.Plus(tensor(sum).t().reshape(output.shape).to(output.device).to(output.dtype));

            void Add(IEnumerable<RieFeature> features, SiteActivations map, BrushMask mask, double factor)
            {
                var channels = sum.GetLength(1);
                foreach (var feature in features.Where(feature => feature.Site == site))
                {
                    var direction = Doubles(Model.Saes[site].Direction(feature.Feature));
                    var values = map.Map(feature.Feature);
                    foreach (var cell in Cells(mask, site))
                        for (var channel = 0; channel < channels; channel++)
                            sum[cell, channel] += factor * values[cell] * direction[channel];
                }
            }
        });
        AssertChange(picture, row);
    }

    [Fact]
    public void Measure_Neurons_AddsTheBestAndTakesTheWorstAway()
    {
        const int Count = 40;
        var settings = new RieSettings { Steps = Steps, Counts = [], Neurons = [Count], Strengths = [2] };
        var row = new RieProtocol(Model, settings).Measure(Pair).Single(row => row.Method == RieProtocol.Neurons);

        using var scope = NewDisposeScope();
        var (edited, original) = (Neurons(Pair.Edited), Neurons(Pair.Original));
        var (with, without) = (Shares(edited, Pair.EditedMask!), Shares(original, Pair.OriginalMask!));
        var order = with.Keys.OrderByDescending(key => with[key] - without[key]).ToArray();
        var (best, worst) = (order.Take(Count).ToHashSet(), order.TakeLast(Count).ToHashSet());
        var picture = Paint(Pair.Original, neurons: (site, block, step, values) =>
        {
            var sum = new double[values.shape[1], values.shape[2]];
            Add(best, edited, Pair.EditedMask!, 2);
            Add(worst, original, Pair.OriginalMask!, -2);
            return values.Plus(tensor(sum).unsqueeze(0).to(values.device).to(values.dtype));

            void Add(IEnumerable<(Site, int, int)> chosen, Dictionary<(Site, int, int), double[,]> run, BrushMask mask, double factor)
            {
                foreach (var (_, _, neuron) in chosen.Where(one => one.Item1 == site && one.Item2 == block))
                    foreach (var cell in Cells(mask, site))
                        sum[cell, neuron] += factor * run[(site, block, step)][cell, neuron];
            }
        });
        AssertChange(picture, row);
    }

    private void AssertChange(Picture picture, RieRow row)
    {
        var plain = Paint(Pair.Original);
        var sums = new double[2];
        for (var y = 0; y < plain.Height; y++)
            for (var x = 0; x < plain.Width; x++)
                for (var colour = 0; colour < 3; colour++)
                {
                    var at = (((y * plain.Width) + x) * 3) + colour;
                    // The original's mask is the left half.
                    sums[2 * x / plain.Width] += Math.Abs(plain.Pixels[at] - picture.Pixels[at]) / (255.0 * 3);
                }
        var half = plain.Width * plain.Height / 2;
        Assert.True(row.Inside > 0);
        Assert.Equal(sums[0] / half, row.Inside, 2e-5);
        Assert.Equal(sums[1] / half, row.Outside, 2e-5);
    }

    // The mean of each feature over a mask's cells, in the first step.
    private Dictionary<(Site, int), double> FeatureMeans(string prompt, BrushMask mask) =>
        Maps(prompt).All.Where(map => map.Step == 0).SelectMany(map => Enumerable.Range(0, map.Features).Select(feature =>
                ((map.Site, feature), Cells(mask, map.Site).Average(cell => (double)map.Map(feature)[cell]))))
            .ToDictionary(one => one.Item1, one => one.Item2);

    private ActivationMaps Maps(string prompt)
    {
        using var runner = new RecipeRunner(Model);
        var recipe = golden.Recipe(Golden) with
        {
            Prompt = prompt,
            NegativePrompt = null,
            Seed = 42,
            Steps = Steps,
            Guidance = 0,
            Width = Model.Info.Width,
            Height = Model.Info.Height,
        };
        return runner.Run(recipe, new RunRequest { Read = [.. Model.Saes.Keys], Picture = false }).Maps;
    }

    // All neurons of a run: site, block and step give [cells, n].
    private Dictionary<(Site, int Block, int Step), double[,]> Neurons(string prompt)
    {
        var found = new Dictionary<(Site, int, int), double[,]>();
        Paint(prompt, neurons: (site, block, step, values) =>
        {
            var all = new double[values.shape[1], values.shape[2]];
            Buffer.BlockCopy(Doubles(values), 0, all, 0, all.Length * sizeof(double));
            found.Add((site, block, step), all);
            return values;
        });
        return found;
    }

    // Of each neuron in the first step: the mean of its values over the mask, divided by their norm there; as a share of all of them.
    private Dictionary<(Site, int, int), double> Shares(Dictionary<(Site, int Block, int Step), double[,]> run, BrushMask mask)
    {
        var means = new Dictionary<(Site, int, int), double>();
        foreach (var ((site, block, _), values) in run.Where(one => one.Key.Step == 0))
            for (var neuron = 0; neuron < values.GetLength(1); neuron++)
            {
                double[] own = [.. Cells(mask, site).Select(cell => values[cell, neuron])];
                means.Add((site, block, neuron), own.Average() / Math.Sqrt(own.Sum(value => value * value)));
            }
        var all = means.Values.Sum();
        return means.ToDictionary(one => one.Key, one => one.Value / all);
    }

    private int[] Cells(BrushMask mask, Site site)
    {
        var (rows, columns) = Model.Info.Find(site)!.Grid(Model.Info.Width, Model.Info.Height);
        return [.. Enumerable.Range(0, rows * columns)
            .Where(cell => mask[cell / columns * mask.Rows / rows, cell % columns * mask.Columns / columns] == 1)];
    }

    private Picture Paint(string prompt, Func<Site, int, Tensor, Tensor>? sites = null,
        Func<Site, int, int, Tensor, Tensor>? neurons = null)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        Model.UseThreads();
        var step = 0;
        List<IDisposable> hooks = [];
        foreach (var site in Model.Saes.Keys)
        {
            if (sites is not null)
                hooks.Add(Model.Model.Hook(site, (_, output) => sites(site, step, output)));
            if (neurons is not null)
                hooks.Add(Model.Model.HookNeurons(site, (block, values) => neurons(site, block, step, values)));
        }
        using var run = Model.Model.Begin(new ImageRequest
        {
            Prompts = [prompt],
            Seeds = [42],
            Steps = Steps,
            Guidance = 0,
            Width = Model.Info.Width,
            Height = Model.Info.Height,
        });
        Tensor? latents = null;
        foreach (var done in run.Denoise())
        {
            latents = done.After;
            step++;
        }
        var pixels = Pixels.ToBytes(Model.Model.Decode(Scheduler.LatentsOf(latents!)));
        foreach (var hook in hooks)
            hook.Dispose();
        return new Picture((int)pixels.shape[2], (int)pixels.shape[1], 3, pixels.data<byte>().ToArray());
    }

    private static double[] Doubles(Tensor tensor) => tensor.detach().to(ScalarType.Float64).cpu().contiguous().data<double>().ToArray();

    private static string InOrder((Site Site, int Feature) one) => $"{one.Site}:{one.Feature}";
}
