using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>The features of a site that stand for an element together.</summary>
/// <param name="Features">
/// First those that paint: one is nearest to what the element adds, each next one brings the sum nearest to it. Then others that are
/// more active where the element is, the greatest difference first.
/// </param>
/// <param name="Units">
/// For one, two, ... of those that paint the strength at which they add as much as the site's contribution differs from its mean, in root
/// mean square.
/// </param>
/// <param name="Candidates">Those whose activation differs most where the element is.</param>
internal sealed record ConceptDirection(string Element, Site Site, IReadOnlyList<ConceptFeature> Features, IReadOnlyList<double> Units,
    IReadOnlyList<int> Candidates);

/// <summary>
/// Finds the features that stand for each element at each site: those whose sum, each at its mean activation, has the direction in which
/// the cells that show the element differ from the others, and those that are most active there.
/// </summary>
internal sealed class ConceptFeatures(MiniModel model, SaeSet saes, MiniEvaluationOptions options)
{
    private const int Purpose = 43, Batch = 8, Painting = 3, All = 8, Fitted = 32;

    /// <param name="progress">Receives the number of pictures done.</param>
    /// <returns>Without the sites that have no feature for an element.</returns>
    public IReadOnlyList<ConceptDirection> Run(Action<int> progress, CancellationToken cancellation)
    {
        var sites = MiniModel.Sites.Select(site => new SiteCells(site, saes[site], model.Device)).ToArray();
        foreach (var numbers in Enumerable.Range(0, options.Pictures).Chunk(Batch))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            CaptionedScene[] scenes =
                [.. numbers.Select(i => CaptionedScene.Draw(RandomAt.Place(options.Seed, Purpose, i), new SceneMix()))];
            byte[][] labels = [.. scenes.AsParallel().AsOrdered()
                .Select(scene => SceneLabels.Of(SceneRenderer.Render(scene.Scene, model.PictureSize)))];
            using var run = model.Run(scenes);
            foreach (var site in sites)
                site.Add(run.Difference(site.Site), labels);
            progress(numbers[^1] + 1);
        }
        ConceptDirection[] found = [.. sites.SelectMany(site => site.Directions())];
        foreach (var site in sites)
            site.Dispose();
        return found;
    }

    /// <summary>What a site adds in the cells of many pictures.</summary>
    private sealed class SiteCells(Site site, IFeatureDictionary dictionary, Device device) : IDisposable
    {
        private readonly FeatureSelectivity _selectivity = new(dictionary.Features, SceneLabels.Count, device);
        private readonly double[] _sums = new double[dictionary.Width];
        private double _squares;
        private long _cells;

        public Site Site => site;

        /// <param name="difference">[B, 16, 16, d].</param>
        public void Add(Tensor difference, IReadOnlyList<byte[]> labels)
        {
            using var codes = dictionary.Encode(difference);
            _selectivity.Add(codes, labels);
            var rows = difference.reshape(-1, dictionary.Width).to_type(ScalarType.Float64);
            _cells += rows.shape[0];
            _squares += rows.Square().sum().cpu().item<double>();
            foreach (var (i, sum) in Values(rows.sum([0L])).Index())
                _sums[i] += sum;
        }

        public IReadOnlyList<ConceptDirection> Directions()
        {
            using var scope = NewDisposeScope();
            List<ConceptDirection> found = [];
            var spread = Math.Sqrt(_squares / _cells - _sums.Sum(sum => sum / _cells * sum / _cells));
            var features = Values(dictionary.Dictionary).Chunk(dictionary.Width).ToArray();
            var parts = features.Select((row, i) => Array.ConvertAll(row, x => x * dictionary.MeanOf(i))).ToArray();
            var (differences, scores) = (Columns(_selectivity.MeanDifferences()), Columns(_selectivity.Scores()));
            foreach (var element in SteeringElement.All)
            {
                var difference = differences[element.Label];
                var wanted = new double[dictionary.Width];
                foreach (var (row, amount) in features.Zip(difference))
                    Accumulate(wanted, row, amount);
                var (chosen, units, sum) = (new List<int>(), new List<double>(), new double[dictionary.Width]);
                int[] candidates = [.. Enumerable.Range(0, features.Length)
                    .OrderByDescending(i => Math.Abs(difference[i]) * Norm(features[i])).Take(Fitted)];
                while (chosen.Count < Painting && Next() is { } next)
                {
                    Accumulate(sum, parts[next], 1);
                    chosen.Add(next);
                    units.Add(spread / Norm(sum));
                }
                chosen.AddRange(Candidates().OrderByDescending(i => difference[i]).Take(All - chosen.Count).ToArray());
                if (chosen.Count > 0)
                    found.Add(new(element.Name, site,
                        [.. chosen.Select(i => new ConceptFeature(i, Math.Round(scores[element.Label][i], 3), null))], units, candidates));

                IEnumerable<int> Candidates() =>
                    Enumerable.Range(0, features.Length).Where(i => difference[i] > 0 && !chosen.Contains(i));

                int? Next() => Candidates()
                    .Select(i => ((int Feature, double Cosine)?)(i, Cosine([.. sum.Zip(parts[i], (a, b) => a + b)], wanted)))
                    .MaxBy(one => one!.Value.Cosine)?.Feature;
            }
            return found;
        }

        public void Dispose() => _selectivity.Dispose();

        private static double[][] Columns(Tensor matrix) => [.. Values(matrix.t()).Chunk((int)matrix.shape[0])];

        private static double[] Values(Tensor x) => x.to_type(ScalarType.Float64).contiguous().cpu().data<double>().ToArray();

        private static void Accumulate(double[] sum, double[] vector, double amount)
        {
            for (var i = 0; i < sum.Length; i++)
                sum[i] += amount * vector[i];
        }

        private static double Cosine(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum() / Math.Max(Norm(a) * Norm(b), 1e-12);

        private static double Norm(double[] x) => Math.Sqrt(x.Sum(value => value * value));
    }
}
