using System.Text.RegularExpressions;

namespace SaeUnbox.Lab;

/// <summary>Gathers statistics of the features of a site: mean and spread where they are active, strongest pictures, activity in each
/// picture.</summary>
/// <param name="most">Strongest pictures to keep for each feature.</param>
/// <param name="sampled">Random pictures to keep for each feature, and as many weak ones.</param>
internal sealed class FeatureTally(Site site, int features, int most, int sampled = 0)
{
    // Weak pictures are the weakest of so many times as many random ones.
    private const int WeakChoice = 3;

    private readonly long[] _counts = new long[features];
    private readonly double[] _means = new double[features],
        _squares = new double[features]; // _squares: sums of squared distances from the mean
    private readonly List<Seen>[] _tops = [.. Enumerable.Range(0, features).Select(_ => new List<Seen>())];
    private readonly List<(int Caption, double Weight)>[] _activity =
        [.. Enumerable.Range(0, features).Select(_ => new List<(int, double)>())];
    private readonly List<(ulong Order, Seen Seen)>[] _samples = [.. Enumerable.Range(0, features).Select(_ => new List<(ulong, Seen)>())];
    private readonly SortedDictionary<int, long>[] _bins =
        [.. Enumerable.Range(0, features).Select(_ => new SortedDictionary<int, long>())];
    private long _positions;

    public Site Site => site;

    public int Features => features;

    /// <summary>A picture in which a feature is active.</summary>
    /// <param name="Mean">The mean activation over the grid.</param>
    /// <param name="Heat">The activation in each cell, as a share of the largest.</param>
    internal sealed record Seen(int Caption, double Mean, BrushMask Heat);

    /// <summary>The strongest pictures, strongest first.</summary>
    public IReadOnlyList<Seen> Tops(int feature) => _tops[feature];

    /// <summary>Random pictures in which the feature is active, strongest first.</summary>
    public IEnumerable<Seen> Random(int feature) =>
        _samples[feature].Take(sampled).Select(sample => sample.Seen).OrderByDescending(seen => seen.Mean);

    /// <summary>Pictures in which the feature is weakly active, strongest first.</summary>
    public IEnumerable<Seen> Weak(int feature) => _samples[feature].Skip(sampled).Select(sample => sample.Seen)
        .OrderBy(seen => seen.Mean).Take(Math.Max(0, _samples[feature].Count - sampled) / WeakChoice).Reverse();

    /// <summary>Numbers of cells by activation; null if it never was active.</summary>
    public ActivationHistogram? Histogram(int feature)
    {
        if (_bins[feature].Count == 0)
            return null;
        var (first, last) = (_bins[feature].Keys.First(), _bins[feature].Keys.Last());
        return new(first, [.. Enumerable.Range(first, last - first + 1).Select(bin => _bins[feature].GetValueOrDefault(bin))]);
    }

    /// <summary>The mean activation in each picture where the feature is active.</summary>
    public IReadOnlyList<(int Caption, double Weight)> Activity(int feature) => _activity[feature];

    /// <summary>All pictures of the feature that an atlas shows.</summary>
    public IEnumerable<Seen> Shown(int feature) => Tops(feature).Concat(Random(feature)).Concat(Weak(feature));

    /// <summary>Captions whose pictures are among those kept of any feature.</summary>
    public IEnumerable<int> Kept => _tops.SelectMany(tops => tops.Select(top => top.Caption))
        .Concat(_samples.SelectMany(samples => samples.Select(sample => sample.Seen.Caption)));

    /// <summary>Mean and standard deviation over the positions where the feature is active, as in the reference.</summary>
    public FeatureStatistics Statistics(int feature)
    {
        var count = _counts[feature];
        return count == 0
            ? new(site, feature, 0, 0, 0)
            : new(site, feature, _means[feature], Math.Sqrt(_squares[feature] / count), (double)count / _positions);
    }

    public void Add(int caption, SiteActivations map)
    {
        _positions += map.Rows * map.Columns;
        for (var i = 0; i < map.Indices.Length; i++)
            if (map.Values[i] is > 0 and var value)
            {
                var feature = map.Indices[i];
                // Welford's method (1962). A sum of plain squares would lose the spread if the mean is large.
                var step = value - _means[feature];
                _means[feature] += step / ++_counts[feature];
                _squares[feature] += step * (value - _means[feature]);
                var bin = ActivationHistogram.BinOf(value);
                _bins[feature][bin] = _bins[feature].GetValueOrDefault(bin) + 1;
            }
        foreach (var active in map.Top(features))
        {
            _activity[active.Feature].Add((caption, active.Mean));
            Sample(caption, map, active);
            var tops = _tops[active.Feature];
            if (tops.Count == most && tops[^1].Mean >= active.Mean)
                continue;
            var place = tops.FindIndex(top => top.Mean < active.Mean);
            tops.Insert(place < 0 ? tops.Count : place, new(caption, active.Mean, Heat(map, active)));
            if (tops.Count > most)
                tops.RemoveAt(most);
        }
    }

    // A picture is chosen by a hash, so that the choice is random, and the same after an interruption.
    private void Sample(int caption, SiteActivations map, ActiveFeature active)
    {
        var (samples, order) = (_samples[active.Feature], Hash(active.Feature, caption));
        var count = (1 + WeakChoice) * sampled;
        if (count == 0 || (samples.Count == count && samples[^1].Order <= order))
            return;
        var place = samples.FindIndex(sample => sample.Order > order);
        samples.Insert(place < 0 ? samples.Count : place, (order, new(caption, active.Mean, Heat(map, active))));
        if (samples.Count > count)
            samples.RemoveAt(count);
    }

    private static ulong Hash(int feature, int caption) => ShuffledOrder.Mix(((ulong)(uint)feature << 32) | (uint)caption, 0);

    public void Write(BinaryWriter writer)
    {
        writer.Write(_positions);
        for (var feature = 0; feature < features; feature++)
        {
            writer.Write(_counts[feature]);
            writer.Write(_means[feature]);
            writer.Write(_squares[feature]);
            Write(writer, _tops[feature]);
            Write(writer, [.. _samples[feature].Select(sample => sample.Seen)]);
            writer.Write(_bins[feature].Count);
            foreach (var (bin, count) in _bins[feature])
            {
                writer.Write(bin);
                writer.Write(count);
            }
            writer.Write(_activity[feature].Count);
            foreach (var (caption, weight) in _activity[feature])
            {
                writer.Write(caption);
                writer.Write(weight);
            }
        }
    }

    public void Read(BinaryReader reader)
    {
        _positions = reader.ReadInt64();
        for (var feature = 0; feature < features; feature++)
        {
            (_counts[feature], _means[feature], _squares[feature]) = (reader.ReadInt64(), reader.ReadDouble(), reader.ReadDouble());
            _tops[feature].AddRange(ReadSeen(reader));
            _samples[feature].AddRange(ReadSeen(reader).Select(seen => (Hash(feature, seen.Caption), seen)));
            for (var left = reader.ReadInt32(); left > 0; left--)
                _bins[feature].Add(reader.ReadInt32(), reader.ReadInt64());
            for (var left = reader.ReadInt32(); left > 0; left--)
                _activity[feature].Add((reader.ReadInt32(), reader.ReadDouble()));
        }
    }

    private static void Write(BinaryWriter writer, IReadOnlyCollection<Seen> pictures)
    {
        writer.Write(pictures.Count);
        foreach (var seen in pictures)
        {
            writer.Write(seen.Caption);
            writer.Write(seen.Mean);
            writer.Write(seen.Heat.ToString());
        }
    }

    private static List<Seen> ReadSeen(BinaryReader reader)
    {
        var pictures = new List<Seen>();
        for (var left = reader.ReadInt32(); left > 0; left--)
            pictures.Add(new(reader.ReadInt32(), reader.ReadDouble(), BrushMask.Parse(reader.ReadString())));
        return pictures;
    }

    // Sixteen levels are enough to draw, and keep the text form short.
    private static BrushMask Heat(SiteActivations map, ActiveFeature active) => BrushMask.FromCells(map.Rows, map.Columns,
        [.. map.Map(active.Feature).Select(value => MathF.Round(MathF.Round(value / active.Max * 15) / 15 * 255) / 255)]);
}

/// <summary>A sheet of tiles. A tile is the part of a picture where a feature is strongest.</summary>
/// <param name="side">Side of a tile in pixels.</param>
internal sealed class TileSheet(int side)
{
    private const double Share = .5;
    private const int Quality = 82;
    private readonly List<Picture> _tiles = [];

    public int Count => _tiles.Count;

    /// <returns>The tile's number.</returns>
    public int Add(byte[] jpeg, BrushMask heat)
    {
        var picture = Jpeg.Decode(jpeg);
        var length = Math.Max(1, (int)(Share * Math.Min(picture.Width, picture.Height)));
        var (x, y) = Centre(heat);
        var left = Math.Clamp((int)(x * picture.Width) - length / 2, 0, picture.Width - length);
        var top = Math.Clamp((int)(y * picture.Height) - length / 2, 0, picture.Height - length);
        _tiles.Add(PictureScaling.Resize(picture, left, top, length, length, side, side));
        return _tiles.Count - 1;
    }

    public AtlasSprite Finish(Site site)
    {
        var columns = (int)Math.Ceiling(Math.Sqrt(_tiles.Count));
        var (width, height) = (columns * side, (_tiles.Count + columns - 1) / columns * side);
        var pixels = new byte[width * height * 3];
        foreach (var (number, tile) in _tiles.Index())
            for (var row = 0; row < side; row++)
            {
                var target = (((number / columns * side) + row) * width + number % columns * side) * 3;
                tile.Pixels.Slice(row * side * 3, side * 3).CopyTo(pixels.AsSpan(target));
            }
        return new(site, side, columns, width, height, Jpeg.Encode(new Picture(width, height, 3, pixels), Quality));
    }

    // Centre of mass of the strong cells, from 0 to 1. The strongest cell alone may be an outlier.
    private static (double X, double Y) Centre(BrushMask heat)
    {
        double x = 0, y = 0, total = 0;
        for (var row = 0; row < heat.Rows; row++)
            for (var column = 0; column < heat.Columns; column++)
            {
                var weight = Math.Pow(heat[row, column], 4);
                (x, y, total) = (x + weight * (column + .5), y + weight * (row + .5), total + weight);
            }
        return total > 0 ? (x / total / heat.Columns, y / total / heat.Rows) : (.5, .5);
    }
}

/// <summary>A picture of an atlas, as a small JPEG.</summary>
internal readonly record struct SmallPicture(int Width, int Height, byte[] Jpeg)
{
    private const int Quality = 82;

    /// <param name="side">The longest side in pixels. Smaller pictures keep their size.</param>
    public static SmallPicture Of(Picture picture, int side)
    {
        var scale = Math.Min(1, (double)side / Math.Max(picture.Width, picture.Height));
        var (width, height) = (Math.Max(1, (int)(picture.Width * scale)), Math.Max(1, (int)(picture.Height * scale)));
        return new(width, height, Core.Jpeg.Encode(PictureScaling.Resize(picture, width, height), Quality));
    }
}

/// <summary>
/// Finds words that are typical of the pictures in which a feature is active: weighted log-odds with a prior from all captions (Monroe,
/// Colaresi and Quinn, Political Analysis 16, 2008). A caption counts as much as the feature is active in its picture.
/// </summary>
public sealed partial class WordScores
{
    private const double PriorWeight = 20, Least = 1.6;
    private const int ShortestWord = 3;
    private static readonly HashSet<string> Common = [.. ("and the with for from that this into over under above its are was has have "
        + "one two some very near behind between front there").Split(' ')];

    private readonly Dictionary<string, int> _ids = [];
    private readonly List<string> _words = [];
    private readonly List<int[]> _captions = [];
    private readonly List<double> _counts = [];

    /// <returns>The number of the caption, counted from 0.</returns>
    public int Add(string caption)
    {
        var words = Word().Matches(caption.ToLowerInvariant()).Select(match => match.Value).ToArray();
        var pairs = words.Zip(words.Skip(1)).Where(pair => IsContentWord(pair.First) && IsContentWord(pair.Second));
        var terms = words.Where(IsContentWord).Concat(pairs.Select(pair => $"{pair.First} {pair.Second}"));
        var ids = terms.Distinct().Select(Id).ToArray();
        foreach (var id in ids)
            _counts[id]++;
        _captions.Add(ids);
        return _captions.Count - 1;
    }

    /// <summary>The most typical words of a feature, the best first.</summary>
    /// <param name="weights">Numbers of captions, with the mean activation in their pictures.</param>
    public IReadOnlyList<string> Best(IReadOnlyCollection<(int Caption, double Weight)> weights, int count)
    {
        var total = weights.Sum(one => one.Weight);
        if (total <= 0)
            return [];
        // With a mean of 1, sums of weights compare with numbers of captions.
        var scale = weights.Count / total;
        var own = new Dictionary<int, double>();
        foreach (var (caption, weight) in weights)
            foreach (var id in _captions[caption])
                own[id] = own.GetValueOrDefault(id) + weight * scale;
        var (size, all, everything) = ((double)weights.Count, (double)_captions.Count, _counts.Sum());
        var scored = own.Select(word =>
        {
            var share = _counts[word.Key] / everything;
            var prior = PriorWeight * share;
            var (mine, theirs) = (word.Value + prior, _counts[word.Key] + prior);
            var odds = Math.Log(mine / (size + PriorWeight - mine + 1)) - Math.Log(theirs / (all + PriorWeight - theirs + 1));
            return (Word: _words[word.Key], Score: odds / Math.Sqrt(1 / mine + 1 / theirs));
        }).Where(word => word.Score > Least).OrderByDescending(word => word.Score).ThenBy(word => word.Word, StringComparer.Ordinal);
        var best = new List<string>();
        foreach (var (word, _) in scored)
        {
            // A pair and its single words say the same.
            if (best.Any(other => other.Split(' ').Contains(word) || word.Split(' ').Contains(other)))
                continue;
            best.Add(word);
            if (best.Count == count)
                break;
        }
        return best;
    }

    private static bool IsContentWord(string word) => word.Length >= ShortestWord && !Common.Contains(word);

    private int Id(string word)
    {
        if (_ids.TryGetValue(word, out var id))
            return id;
        _words.Add(word);
        _counts.Add(0);
        return _ids[word] = _words.Count - 1;
    }

    [GeneratedRegex(@"[\p{L}\p{N}]+")]
    private static partial Regex Word();
}
