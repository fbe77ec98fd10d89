using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace SaeUnbox.Core;

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
