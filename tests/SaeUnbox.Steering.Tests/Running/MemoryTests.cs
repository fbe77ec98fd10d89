using System.Globalization;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

/// <summary>Alone in the process while it runs: it counts every tensor there is.</summary>
[CollectionDefinition(nameof(MemoryTests), DisableParallelization = true)]
[Collection(nameof(MemoryTests))]
public sealed class MemoryTests(GoldenModel golden) : IClassFixture<GoldenModel>
{
    private const string Run = "turbo1";

    /// <summary>tests/soak.sh makes 10,000.</summary>
    private static int Edits =>
        int.Parse(Environment.GetEnvironmentVariable("SAEUNBOX_SOAK_EDITS") ?? "1000", CultureInfo.InvariantCulture);

    [Fact]
    public void Run_ManyEdits_LeavesNoTensorAndNoMemory()
    {
        const long mostGrowth = 24 << 20;
        var model = golden.For(Run);
        using var runner = new RecipeRunner(model, prefixes: 2);
        // Until all kinds of edits have been seen, caches fill.
        Paint(runner, model, first: 0, count: 200);
        var (tensors, resident) = (Tensors(), Resident());

        Paint(runner, model, first: 200, count: Edits);

        Assert.Equal(tensors, Tensors());
        var growth = Resident() - resident;
        Assert.True(growth < mostGrowth, $"{Edits} edits made the process grow by {growth / 1048576.0:F1} MiB.");
    }

    // Both modes, every site, with and without a mask, maps read or not; now and then another prompt, which drops what was kept.
    private void Paint(RecipeRunner runner, LoadedModel model, int first, int count)
    {
        Site[] sites = [.. model.Saes.Keys];
        for (var i = first; i < first + count; i++)
        {
            var site = sites[i % sites.Length];
            var (rows, columns) = model.Info.Find(site)!.Grid(64, 64);
            var mask = i % 3 == 0
                ? null
                : BrushMask.FromCells(rows, columns,
                    [.. Enumerable.Range(0, rows * columns).Select(cell => cell % (2 + i % 5) == 0 ? 1f : 0)]);
            var edit = new FeatureEdit(site, i % model.Saes[site].Features, 1 + i % 7)
            {
                Mask = mask,
                Mode = i % 2 == 0 ? EditMode.Add : EditMode.Scale
            };
            var recipe = golden.Recipe(Run) with
            {
                Width = 64,
                Height = 64,
                Prompt = i % 100 < 50 ? "a dog" : $"a cat {i / 100 % 3}",
                Edits = [edit]
            };
            runner.Run(recipe, new RunRequest { Read = i % 4 == 0 ? sites : [] });
        }
    }

    private static long Tensors()
    {
        Collect();
        return Tensor.TotalCount;
    }

    private static long Resident()
    {
        Collect();
        return Environment.WorkingSet;
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }
}
