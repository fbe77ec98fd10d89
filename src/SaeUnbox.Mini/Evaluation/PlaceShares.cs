using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>
/// Reads how much of what stands at each place of a picture. The picture around a place is taken as a weighted mean of the drawings of all
/// that can stand there, and of nothing; the shares are the weights that come nearest to it. A picture that shows one possible scene has
/// one weight near 1 at each place; a mean of several has less.
/// </summary>
/// <param name="noise">The noise of the picture, which shifts things a little.</param>
internal sealed class PlaceShares(NoisePatches noise)
{
    // A latent is a patch of 4 x 4 of 256 pixels: what is finer is the decoder's.
    private const int Side = 64, Rounds = 2;

    private static readonly string[] Groups = ["time", "ground", "far"];

    private readonly Dictionary<SceneFacts, Drawings> _drawings = [];

    /// <summary>For each of <see cref="SceneSlot.All"/> the kind of thing, or nothing, that has the greatest share.</summary>
    /// <param name="picture">[row, column, colour] of side <see cref="SceneProbe.Size"/>.</param>
    public IReadOnlyList<PlaceShare> Greatest(byte[] picture)
    {
        var facts = FactsOf(picture);
        if (!_drawings.TryGetValue(facts, out var drawings))
            _drawings[facts] = drawings = new(Empty(facts));
        var pixels = Small(picture);
        var (found, whole) = (new int[drawings.Places.Count], drawings.Empty);
        var greatest = new PlaceShare[found.Length];
        // Things overlap a little: the second round knows what stands at the other places.
        for (var round = 0; round < Rounds; round++)
        {
            var next = new int[found.Length];
            for (var place = 0; place < found.Length; place++)
            {
                var (answers, changes) = drawings.Places[place];
                var own = changes[found[place]];
                var weights = ConvexFit.Weights(changes, i => pixels[i] - whole[i] + own[i]);
                var kinds = answers.Select((answer, i) => (answer.Name, Weight: weights[i])).GroupBy(one => one.Name);
                greatest[place] = kinds.Select(kind => new PlaceShare(kind.Key, kind.Sum(one => one.Weight))).MaxBy(one => one.Share);
                next[place] = Array.IndexOf(weights, weights.Max());
            }
            found = next;
            whole = drawings.With(found);
        }
        return greatest;
    }

    // The backdrop whose drawing is nearest, for each style: under a wrong one nothing is recognised.
    private SceneFacts FactsOf(byte[] picture)
    {
        var styles = SceneQuestions.Backdrops(Empty(new SceneFacts()), "style").Select(style =>
        {
            var scene = style.Scene;
            for (var round = 0; round < Rounds; round++)
                foreach (var group in Groups)
                    scene = new SceneProbe(SceneQuestions.Backdrops(scene, group), SceneQuestions.Everywhere).Nearest(picture).Scene;
            return style with { Scene = scene };
        });
        return new SceneProbe([.. styles], SceneQuestions.Everywhere).Nearest(picture).Scene.Facts;
    }

    private Scene Empty(SceneFacts facts) => new(facts, noise) { Emptied = [.. SceneSlot.All] };

    /// <summary>A square picture, reduced to <see cref="Side"/>.</summary>
    private static float[] Small(byte[] picture)
    {
        var small = new float[Side * Side * 3];
        var size = (int)Math.Sqrt(picture.Length / 3);
        var factor = size / Side;
        for (var row = 0; row < size; row++)
            for (var column = 0; column < size; column++)
                for (var color = 0; color < 3; color++)
                    small[(row / factor * Side + column / factor) * 3 + color] += picture[(row * size + column) * 3 + color];
        return Array.ConvertAll(small, sum => sum / (factor * factor));
    }

    /// <summary>What each thing at each place changes in the drawing of an empty scene.</summary>
    private sealed class Drawings
    {
        private readonly Scene _scene;

        public Drawings(Scene scene)
        {
            (_scene, Empty) = (scene, Draw(scene));
            Places = [.. SceneSlot.All.Select(slot =>
            {
                var answers = SceneQuestions.Things(scene, slot);
                return (answers, answers.Select(answer => Draw(answer.Scene).Zip(Empty, (with, without) => with - without).ToArray())
                    .ToArray());
            })];
        }

        public float[] Empty { get; }

        /// <summary>For each of <see cref="SceneSlot.All"/> what can be there, nothing first, and its change of each value.</summary>
        public IReadOnlyList<(IReadOnlyList<ProbeAnswer> Answers, float[][] Changes)> Places { get; }

        /// <summary>The drawing with an answer at each place.</summary>
        public float[] With(int[] answers) => Draw(_scene with
        {
            Added = [.. answers.SelectMany((answer, place) => Places[place].Answers[answer].Scene.Added)],
        });

        // The lines of styles are as wide as a pixel.
        private static float[] Draw(Scene scene) => Small(SceneRenderer.Render(scene,
            scene.Facts.Style == SceneStyle.Plain ? SceneProbe.Size : SceneRenderer.DefaultSize).Rgb);
    }
}

/// <summary>What has the greatest share of a place.</summary>
/// <param name="Name">A kind of thing, or <see cref="SceneQuestions.Nothing"/>.</param>
internal readonly record struct PlaceShare(string Name, double Share)
{
    private const double Sharp = .9;

    /// <summary>Whether the place shows one thing, or nothing, and no mean of several.</summary>
    public bool IsSharp => Share >= Sharp;
}

/// <summary>The weighted mean of vectors that is nearest to another: weights of at least 0 that add up to 1.</summary>
internal static class ConvexFit
{
    private const int MostRounds = 200;
    private const double Still = 1e-4;

    /// <param name="vectors">The first is zero. Only values at which another is not zero count.</param>
    /// <param name="target">The values to fit.</param>
    public static double[] Weights(IReadOnlyList<float[]> vectors, Func<int, float> target)
    {
        var used = Enumerable.Range(0, vectors[0].Length).Where(i => vectors.Any(vector => vector[i] != 0)).ToArray();
        var wanted = Array.ConvertAll(used, i => (double)target(i));
        var rows = vectors.Select(vector => Array.ConvertAll(used, i => (double)vector[i])).ToArray();
        var products = rows.Select(a => rows.Select(b => Dot(a, b)).ToArray()).ToArray();
        var toTarget = rows.Select(row => Dot(row, wanted)).ToArray();
        var weights = new double[rows.Length];
        weights[0] = 1;
        // Moves weight between pairs, each time as much as is best.
        for (var (round, moved) = (0, 1.0); round < MostRounds && moved > Still; round++)
        {
            moved = 0;
            for (var i = 0; i < weights.Length; i++)
                for (var j = 0; j < i; j++)
                {
                    var curvature = products[i][i] + products[j][j] - 2 * products[i][j];
                    if (curvature <= 0)
                        continue;
                    var slope = toTarget[i] - toTarget[j] - Dot(products[i], weights) + Dot(products[j], weights);
                    var step = Math.Clamp(slope / curvature, -weights[i], weights[j]);
                    weights[i] += step;
                    weights[j] -= step;
                    moved = Math.Max(moved, Math.Abs(step));
                }
        }
        return weights;
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (var i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }
}
