using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>Stores activation maps as safetensors: <c>SITE.indices</c> and <c>SITE.values</c>, both [rows, columns, k].</summary>
public static class ActivationMapFile
{
    /// <exception cref="CheckpointException">The file cannot be written.</exception>
    public static void Write(string path, IEnumerable<SiteActivations> maps)
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(path, maps.SelectMany(Tensors));
    }

    private static IEnumerable<KeyValuePair<string, Tensor>> Tensors(SiteActivations map)
    {
        long[] shape = [map.Rows, map.Columns, map.K];
        return [new($"{map.Site}.indices", tensor(map.Indices.ToArray(), shape)),
            new($"{map.Site}.values", tensor(map.Values.ToArray(), shape))];
    }
}
