namespace SaeUnbox.Lab;

/// <summary>What has been seen of one site's features so far: mean and spread over active positions, the strongest pictures, and how active each picture is.</summary>
internal sealed class FeatureTally(HookSite site, int features, int most)
{
    private readonly long[] _counts = new long[features];
    private readonly double[] _means = new double[features], _squares = new double[features]; // squares of distances from the mean
    private readonly List<Seen>[] _tops = [.. Enumerable.Range(0, features).Select(_ => new List<Seen>())];
    private readonly List<(int Caption, double Weight)>[] _activity = [.. Enumerable.Range(0, features).Select(_ => new List<(int, double)>())];
    private long _positions;

    public HookSite Site => site;

    public int Features => features;

    /// <summary>A picture in which a feature is active.</summary>
    internal sealed record Seen(int Caption, double Mean, BrushMask Heat);

    public IReadOnlyList<Seen> Tops(int feature) => _tops[feature];

    public IReadOnlyList<(int Caption, double Weight)> Activity(int feature) => _activity[feature];

    /// <summary>Captions whose pictures are among the strongest of some feature.</summary>
    public IEnumerable<int> Kept => _tops.SelectMany(tops => tops.Select(top => top.Caption));

    public FeatureStatistics Statistics(int feature)
    {
        var count = _counts[feature];
        if (count == 0)
            return new(site, feature, 0, 0, 0);
        // As the reference: over the positions where it is active.
        return new(site, feature, _means[feature], Math.Sqrt(_squares[feature] / count), (double)count / _positions);
    }

    public void Add(int caption, SiteActivations map)
    {
        _positions += map.Rows * map.Columns;
        for (var i = 0; i < map.Indices.Length; i++)
            if (map.Values[i] is > 0 and var value)
            {
                var feature = map.Indices[i];
                // Welford 1962: a sum of plain squares would lose the spread beside a large mean.
                var step = value - _means[feature];
                _means[feature] += step / ++_counts[feature];
                _squares[feature] += step * (value - _means[feature]);
            }
        foreach (var active in map.Top(features))
        {
            _activity[active.Feature].Add((caption, active.Mean));
            var tops = _tops[active.Feature];
            if (tops.Count == most && tops[^1].Mean >= active.Mean)
                continue;
            var place = tops.FindIndex(top => top.Mean < active.Mean);
            tops.Insert(place < 0 ? tops.Count : place, new(caption, active.Mean, Heat(map, active)));
            if (tops.Count > most)
                tops.RemoveAt(most);
        }
    }

    public void Write(BinaryWriter writer)
    {
        writer.Write(_positions);
        for (var feature = 0; feature < features; feature++)
        {
            writer.Write(_counts[feature]);
            writer.Write(_means[feature]);
            writer.Write(_squares[feature]);
            writer.Write(_tops[feature].Count);
            foreach (var top in _tops[feature])
            {
                writer.Write(top.Caption);
                writer.Write(top.Mean);
                writer.Write(top.Heat.ToString());
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
            for (var left = reader.ReadInt32(); left > 0; left--)
                _tops[feature].Add(new(reader.ReadInt32(), reader.ReadDouble(), BrushMask.Parse(reader.ReadString())));
            for (var left = reader.ReadInt32(); left > 0; left--)
                _activity[feature].Add((reader.ReadInt32(), reader.ReadDouble()));
        }
    }

    // Hundredths are enough for a picture of it, and keep the text short.
    private static BrushMask Heat(SiteActivations map, ActiveFeature active) =>
        BrushMask.FromCells(map.Rows, map.Columns, [.. map.Map(active.Feature).Select(value => MathF.Round(value / active.Max * 15) / 15 is var level ? MathF.Round(level * 255) / 255 : 0)]);
}

/// <summary>Tiles that show what features are about: the part of the first picture around where the feature is strongest.</summary>
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

    public AtlasSprite Finish(HookSite site)
    {
        var columns = (int)Math.Ceiling(Math.Sqrt(_tiles.Count));
        var (width, height) = (columns * side, (_tiles.Count + columns - 1) / columns * side);
        var pixels = new byte[width * height * 3];
        foreach (var (number, tile) in _tiles.Index())
            for (var row = 0; row < side; row++)
                tile.Pixels.Slice(row * side * 3, side * 3).CopyTo(pixels.AsSpan((((number / columns * side) + row) * width + number % columns * side) * 3));
        return new(site, side, columns, width, height, Jpeg.Encode(new Picture(width, height, 3, pixels), Quality));
    }

    // The middle of the strong cells, from 0 to 1: a single strongest one may be an outlier.
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

/// <summary>A picture as atlases keep it: a small JPEG.</summary>
internal readonly record struct SmallPicture(int Width, int Height, byte[] Jpeg)
{
    private const int Quality = 82;

    /// <param name="side">The longer side in pixels, at most; a smaller picture keeps its size.</param>
    public static SmallPicture Of(Picture picture, int side)
    {
        var scale = Math.Min(1, (double)side / Math.Max(picture.Width, picture.Height));
        var (width, height) = (Math.Max(1, (int)(picture.Width * scale)), Math.Max(1, (int)(picture.Height * scale)));
        return new(width, height, Core.Jpeg.Encode(PictureScaling.Resize(picture, width, height), Quality));
    }
}
