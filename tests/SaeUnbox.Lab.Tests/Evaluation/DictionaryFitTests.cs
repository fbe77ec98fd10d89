using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests.Evaluation;

public sealed class DictionaryFitTests(GoldenModel golden) : IClassFixture<GoldenModel>
{
    private const string Run = "turbo4";

    private static readonly Caption[] Captions = [new("a dog", 1), new("a boat at sea", 2)];

    private LoadedModel Model => golden.For(Run);

    private Recipe Small => golden.Recipe(Run) with { Width = 64, Height = 64, Steps = 2 };

    [Fact]
    public void Measure_TwoCaptions_EqualsPlainSumsOverTheirCells()
    {
        var site = Model.Saes.Keys.First();

        var rows = DictionaryFit.Measure(Model, Small, [site], Captions, _ => { }, default);

        Assert.Equal([0, 1, null], rows.Select(row => row.Step));
        foreach (var row in rows)
        {
            var cells = Captions.SelectMany(caption => Vectors(site, caption, row.Step)).ToArray();
            var width = Model.Saes[site].Width;
            using var scope = NewDisposeScope();
            var x = tensor(cells.SelectMany(cell => cell).ToArray()).view(-1, width);
            using var codes = Model.Saes[site].Encode(x);
            var made = Model.Saes[site].Decode(codes).data<float>().ToArray().Chunk(width).ToArray();
            double[] means = [.. Enumerable.Range(0, width).Select(channel => cells.Average(cell => (double)cell[channel]))];
            var residual = cells.Zip(made, (cell, again) => cell.Zip(again, (a, b) => Math.Pow(a - (double)b, 2)).Sum()).Sum();
            var whole = cells.Sum(cell => cell.Zip(means, (a, mean) => Math.Pow(a - mean, 2)).Sum());
            Assert.Equal(cells.Length, row.Cells);
            Assert.Equal(residual / whole, row.Fvu, 1e-5);
            Assert.Equal(1 - row.Fvu, row.ExplainedVariancePooled, 1e-12);
            var active = codes.Values.data<float>().ToArray();
            Assert.Equal(active.Count(value => value > 0) / (double)cells.Length, row.L0, 1e-9);
            var seen = codes.Indices.data<long>().ToArray().Zip(active).Where(pair => pair.Second > 0).Select(pair => pair.First);
            Assert.Equal(1 - (seen.Distinct().Count() / (double)Model.Saes[site].Features), row.DeadShare, 1e-9);
        }
    }

    [Fact]
    public void Reconstruct_APicture_ComparesWithWholeRuns()
    {
        Site[] sites = [.. Model.Saes.Keys];

        var rows = DictionaryFit.Reconstruct(Model, Small, sites, Captions[0], null, default);

        using var runner = new RecipeRunner(Model);
        var recipe = Small with { Prompt = Captions[0].Text, Seed = Captions[0].Seed };
        var plain = runner.Run(recipe).Picture!;
        Assert.Equal([.. sites.Select(site => site.Code), "all"], rows.Select(row => row.Sites));
        foreach (var row in rows)
        {
            var made = runner.Run(recipe with
            {
                Interventions = [.. sites.Where(site => row.Sites is "all" || row.Sites == site.Code)
                    .Select(site => new SiteIntervention.Reconstruct(site))],
            }).Picture!;
            var error = plain.Pixels.ToArray().Zip(made.Pixels.ToArray(), (a, b) => Math.Pow((a - b) / 255.0, 2)).Average();
            Assert.Equal(-10 * Math.Log10(error), row.Psnr!.Value, 1e-9);
            Assert.Null(row.ClipText);
        }
    }

    [Fact]
    public void Psnr_OfEqualPictures_IsUnknownAndLeftOutOfTheMean()
    {
        var white = new Picture(1, 1, 3, [255, 255, 255]);

        Assert.Null(DictionaryFit.Psnr(white, white));
        Assert.Equal(0, DictionaryFit.Psnr(white, new Picture(1, 1, 3, [0, 0, 0])));
        Assert.Equal(20 * Math.Log10(255), DictionaryFit.Psnr(white, new Picture(1, 1, 3, [254, 254, 254]))!.Value, 1e-9);
        Assert.Equal(new ReconstructionRow("all", 20, null, null, null),
            DictionaryFit.Mean([new("all", 10, null, null, null), new("all", null, null, null, null), new("all", 30, null, null, null)])
                .Single());
    }

    // The vectors of each cell at one step, or at all.
    private IEnumerable<float[]> Vectors(Site site, Caption caption, int? step)
    {
        using var recorder = new RunRecorder([site]);
        using var runner = new RecipeRunner(Model);
        runner.Run(Small with { Prompt = caption.Text, Seed = caption.Seed }, new RunRequest { Recorder = recorder });
        return Cells(recorder[$"{site}.input"], recorder[$"{site}.output"]);

        float[][] Cells(Tensor input, Tensor output)
        {
            using var scope = NewDisposeScope();
            var difference = (output - input).select(1, input.shape[1] - 1).permute(0, 2, 3, 1);
            var chosen = step is { } one ? difference[one] : difference;
            return [.. chosen.contiguous().data<float>().ToArray().Chunk(Model.Saes[site].Width)];
        }
    }
}
