using SaeUnbox.Mini.Scenes.Drawing;

namespace SaeUnbox.Mini.Scenes;

/// <summary>How much of each cell shows what, as a fraction of its pixels.</summary>
internal sealed class CellShares
{
    private const int Cells = CellMask.Side * CellMask.Side;
    private readonly float[][] _things;
    private readonly IReadOnlyList<PlacedThing> _placed;

    private CellShares(IReadOnlyList<PlacedThing> placed)
    {
        _placed = placed;
        _things = [.. placed.Select(_ => new float[Cells])];
        Kinds = [.. placed.Select(thing => thing.Kind).Distinct()];
    }

    public float[] Ground { get; } = new float[Cells];

    public float[] Far { get; } = new float[Cells];

    public IReadOnlyList<ThingKind> Kinds { get; }

    /// <summary>The fraction of a cell that things of a kind fill, and the index of the one that fills most.</summary>
    public (float Share, int Main) OfKind(ThingKind kind, int cell)
    {
        var (share, main, most) = (0f, -1, -1f);
        for (var i = 0; i < _things.Length; i++)
            if (_placed[i].Kind == kind)
            {
                share += _things[i][cell];
                if (_things[i][cell] > most)
                    (most, main) = (_things[i][cell], i);
            }
        return (share, main);
    }

    public static CellShares Of(ScenePicture picture)
    {
        var shares = new CellShares(picture.Things);
        var pixels = new float[Cells];
        for (var row = 0; row < picture.Size; row++)
            for (var column = 0; column < picture.Size; column++)
            {
                var cell = row * CellMask.Side / picture.Size * CellMask.Side + column * CellMask.Side / picture.Size;
                pixels[cell]++;
                var surface = picture.SurfaceAt(row, column);
                if (surface == Surface.Ground)
                    shares.Ground[cell]++;
                else if (surface == Surface.Far)
                    shares.Far[cell]++;
                if (picture.ThingAt(row, column) is >= 0 and var thing)
                    shares._things[thing][cell]++;
            }
        foreach (var counts in shares._things.Append(shares.Ground).Append(shares.Far))
            for (var cell = 0; cell < Cells; cell++)
                counts[cell] /= pixels[cell];
        return shares;
    }
}
