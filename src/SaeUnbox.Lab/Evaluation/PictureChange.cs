namespace SaeUnbox.Lab;

/// <summary>By how much two pictures of one size differ: of every pixel the mean over its colours, 0 to 1.</summary>
internal sealed class PictureChange
{
    private readonly float[] _values;
    private readonly int _width, _height;

    private PictureChange(float[] values, int width, int height) => (_values, _width, _height) = (values, width, height);

    public double Mean => _values.Average(value => (double)value);

    public static PictureChange Between(Picture first, Picture second)
    {
        if ((first.Width, first.Height) != (second.Width, second.Height))
            throw new ArgumentException($"pictures of {first.Width} x {first.Height} and {second.Width} x {second.Height} pixels cannot be compared");
        var values = new float[first.Width * first.Height];
        for (var i = 0; i < values.Length; i++)
        {
            var a = first.Pixels.Slice(i * first.Channels, 3);
            var b = second.Pixels.Slice(i * second.Channels, 3);
            values[i] = (Math.Abs(a[0] - b[0]) + Math.Abs(a[1] - b[1]) + Math.Abs(a[2] - b[2])) / (3f * 255);
        }
        return new(values, first.Width, first.Height);
    }

    /// <summary>The means inside and outside a mask; a cell counts inside by its value. 0 where there is no such part.</summary>
    public (double Inside, double Outside) Split(BrushMask mask)
    {
        double inside = 0, outside = 0, inner = 0;
        for (var y = 0; y < _height; y++)
            for (var x = 0; x < _width; x++)
            {
                double share = mask[y * mask.Rows / _height, x * mask.Columns / _width], value = _values[(y * _width) + x];
                (inside, outside, inner) = (inside + (share * value), outside + ((1 - share) * value), inner + share);
            }
        var outer = _values.Length - inner;
        return (inner > 0 ? inside / inner : 0, outer > 0 ? outside / outer : 0);
    }
}
