using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace SaeUnbox.Core;

/// <summary>The activations of one run at the requested sites and steps.</summary>
public sealed class ActivationMaps(IEnumerable<SiteActivations> sites)
{
    private readonly SiteActivations[] _sites = [.. sites];

    /// <summary>All maps, in the order given: the order in which a pass reaches the sites, then by step.</summary>
    public IReadOnlyList<SiteActivations> All => _sites;

    /// <summary>Returns null if the site or step was not requested.</summary>
    public SiteActivations? Find(Site site, int step = 0) => Array.Find(_sites, map => map.Site == site && map.Step == step);
}

/// <summary>
/// The active features of one site at one step: the indices and values of the k largest in each cell. All other features are 0 in that
/// cell. A stored value of 0 means that fewer than k features are active.
/// </summary>
public sealed class SiteActivations
{
    private readonly int[] _indices;
    private readonly float[] _values;

    /// <param name="step">The denoising step, from 0.</param>
    /// <param name="features">Size of the site's dictionary.</param>
    /// <param name="indices">rows x columns x k feature indices; the length determines k. Not copied.</param>
    /// <param name="values">Activations in the same order, 0 or more. Not copied.</param>
    /// <exception cref="ArgumentException">The lengths do not match, or an index is outside the dictionary.</exception>
    public SiteActivations(Site site, int step, int rows, int columns, int features, int[] indices, float[] values)
    {
        if (rows < 1 || columns < 1 || indices.Length != values.Length || indices.Length % (rows * columns) != 0)
            throw new ArgumentException(
                $"{site}: {indices.Length} indices and {values.Length} values do not fill {rows} x {columns} cells");
        if (indices.AsSpan().IndexOfAnyExceptInRange(0, features - 1) is >= 0 and var wrong)
            throw new ArgumentException($"{site}: feature {indices[wrong]} lies outside a dictionary of {features}");
        (Site, Step, Rows, Columns, Features) = (site, step, rows, columns, features);
        _indices = indices;
        _values = values;
        K = indices.Length / (rows * columns);
    }

    public Site Site { get; }

    public int Step { get; }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>Size of the dictionary.</summary>
    public int Features { get; }

    /// <summary>Number of features stored per cell.</summary>
    public int K { get; }

    /// <summary>
    /// Fraction of the block's contribution that the features explain, by the reference's formula; null if it was not measured.
    /// </summary>
    public double? ExplainedVariance { get; init; }

    /// <summary>Feature indices: rows x columns x k.</summary>
    public ReadOnlySpan<int> Indices => _indices;

    /// <summary>Activations: rows x columns x k.</summary>
    public ReadOnlySpan<float> Values => _values;

    /// <summary>One feature's activation in every cell: rows x columns values, row by row.</summary>
    public float[] Map(int feature)
    {
        var map = new float[Rows * Columns];
        for (var i = 0; i < _indices.Length; i++)
        {
            if (_indices[i] == feature)
                map[i / K] += _values[i];
        }

        return map;
    }

    /// <summary>The features with the largest mean. Ties are sorted by index.</summary>
    public IReadOnlyList<ActiveFeature> Top(int count) =>
        [.. Active().OrderByDescending(feature => feature.Mean).ThenBy(feature => feature.Feature).Take(count)];

    /// <summary>The features active in one cell, strongest first.</summary>
    public IReadOnlyList<CellFeature> Under(int row, int column)
    {
        var start = ((row * Columns) + column) * K;
        return
        [
            .. Enumerable.Range(start, K).Where(i => _values[i] > 0)
                .Select(i => new CellFeature(_indices[i], _values[i]))
                .OrderByDescending(feature => feature.Value).ThenBy(feature => feature.Feature),
        ];
    }

    private IEnumerable<ActiveFeature> Active()
    {
        var totals = new Dictionary<int, (double Sum, float Max, int Cells)>();
        for (var i = 0; i < _indices.Length; i++)
        {
            if (_values[i] <= 0)
                continue;
            var (sum, max, cells) = totals.GetValueOrDefault(_indices[i]);
            totals[_indices[i]] = (sum + _values[i], Math.Max(max, _values[i]), cells + 1);
        }

        double all = Rows * Columns;
        return totals.Select(total => new ActiveFeature(total.Key, total.Value.Sum / all, total.Value.Max, total.Value.Cells / all));
    }
}

/// <summary>A feature that is active in at least one cell.</summary>
/// <param name="Mean">Mean activation over all cells, including inactive ones.</param>
/// <param name="Max">Largest activation in a cell.</param>
/// <param name="Share">Fraction of cells in which it is active.</param>
public sealed record ActiveFeature(int Feature, double Mean, float Max, double Share);

public readonly record struct CellFeature(int Feature, float Value);

/// <summary>
/// Activation maps as safetensors (https://github.com/huggingface/safetensors): the tensors <c>SITE.indices</c> (I32) and
/// <c>SITE.values</c> (F32) of each site.
/// </summary>
public static class ActivationMapFile
{
    /// <summary>No type is registered for safetensors; this is the one that the API takes.</summary>
    public const string MediaType = "application/x-safetensors";

    private const int Alignment = 8;

    /// <summary>Maps of one step: every tensor is [rows, columns, k].</summary>
    /// <param name="maps">One for each site.</param>
    public static byte[] OfStep(IEnumerable<SiteActivations> maps) =>
        Encode(maps.SelectMany(map => Tensors([map], [map.Rows, map.Columns, map.K])));

    /// <summary>Maps of a run: every tensor is [steps, rows, columns, k].</summary>
    public static byte[] OfRun(ActivationMaps maps) => Encode(maps.All.GroupBy(map => map.Site).SelectMany(site =>
        Tensors([.. site], [site.Count(), site.First().Rows, site.First().Columns, site.First().K])));

    private static IEnumerable<Entry> Tensors(SiteActivations[] steps, int[] shape)
    {
        var site = steps[0].Site.Code;
        yield return new($"{site}.indices", "I32", shape, [.. steps.Select(map => MemoryMarshal.AsBytes(map.Indices).ToArray())]);
        yield return new($"{site}.values", "F32", shape, [.. steps.Select(map => MemoryMarshal.AsBytes(map.Values).ToArray())]);
    }

    private static byte[] Encode(IEnumerable<Entry> tensors)
    {
        Entry[] entries = [.. tensors];
        var header = Header(entries);
        using var file = new MemoryStream();
        Span<byte> length = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        file.Write(length);
        file.Write(header);
        foreach (var part in entries.SelectMany(entry => entry.Steps))
            file.Write(part);
        return file.ToArray();
    }

    private static byte[] Header(Entry[] entries)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            var offset = 0;
            foreach (var entry in entries)
            {
                json.WritePropertyName(entry.Name);
                JsonSerializer.Serialize(json, new Dictionary<string, object>
                {
                    ["dtype"] = entry.Dtype,
                    ["shape"] = entry.Shape,
                    ["data_offsets"] = new[] { offset, offset += entry.Steps.Sum(step => step.Length) },
                });
            }
            json.WriteEndObject();
        }
        while (buffer.Length % Alignment != 0)
            buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    private sealed record Entry(string Name, string Dtype, int[] Shape, byte[][] Steps);
}
