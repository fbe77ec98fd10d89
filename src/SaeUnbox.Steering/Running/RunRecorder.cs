using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>
/// Keeps every tensor of a run for a script to look at: text.hidden [B, 77, D], text.pooled [B, P], noise, step.N.latents,
/// latents [1, C, h, w], image [1, 3, H, W] from 0 to 1, and of each site SITE.input and SITE.output (after hooks) [steps, B, C, h, w].
/// </summary>
/// <param name="sites">Codes of the sites to keep; where there are any, the run is made whole, from its first step.</param>
public sealed class RunRecorder(IReadOnlyList<string> sites) : IDisposable
{
    private readonly Dictionary<string, Tensor> tensors = [];
    private readonly Dictionary<string, List<Tensor>> series = [];

    internal bool NeedsWholeRun => sites.Count > 0;

    /// <summary>What was kept so far; the recorder's own.</summary>
    public Tensor this[string name] => series.TryGetValue(name, out var steps) ? stack(steps) : tensors[name];

    internal void Keep(string name, Tensor tensor) => tensors[name] = Copy(tensor);

    /// <summary>Watches the sites until disposed; set after all edits, it sees what they made.</summary>
    internal IEnumerable<IDisposable> Watch(UNet unet) => sites.Select(site => unet.Hook(site, (input, output) =>
    {
        Append($"{site}.input", input);
        Append($"{site}.output", output);
        return output;
    }));

    /// <summary>Writes all of it to one safetensors file.</summary>
    public void Save(string path)
    {
        using var scope = NewDisposeScope();
        var all = tensors.Concat(series.Select(entry => KeyValuePair.Create(entry.Key, stack(entry.Value))));
        SafetensorsWriter.Write(path, [.. all.OrderBy(entry => entry.Key, StringComparer.Ordinal)]);
    }

    public void Dispose()
    {
        foreach (var tensor in tensors.Values.Concat(series.Values.SelectMany(steps => steps))) tensor.Dispose();
        tensors.Clear();
        series.Clear();
    }

    private void Append(string name, Tensor tensor)
    {
        if (!series.TryGetValue(name, out var steps)) series[name] = steps = [];
        steps.Add(Copy(tensor));
    }

    private static Tensor Copy(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().cpu().contiguous().clone().DetachFromDisposeScope();
    }
}
