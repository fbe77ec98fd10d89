using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>Hooks that keep what sites add to their input, of the last pass, until disposed.</summary>
internal sealed class SiteTap : IDisposable
{
    private readonly List<IDisposable> hooks = [];
    private readonly Dictionary<HookSite, Tensor> differences = [];
    private readonly int pictures;
    private readonly bool guided;

    public SiteTap(UNet unet, IReadOnlyList<HookSite> sites, int pictures, bool guided)
    {
        (this.pictures, this.guided) = (pictures, guided);
        foreach (var site in sites) hooks.Add(unet.Hook(site.Code, (input, output) => Keep(site, input, output)));
    }

    /// <summary>output - input of one picture, [h, w, d] float32 on the CPU, in the caller's dispose scope.</summary>
    public Dictionary<HookSite, Tensor> Of(int picture) => differences.ToDictionary(pair => pair.Key, pair => pair.Value[picture]);

    public void Dispose()
    {
        foreach (var hook in hooks) hook.Dispose();
        foreach (var tensor in differences.Values) tensor.Dispose();
    }

    private Tensor Keep(HookSite site, Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var (from, count) = guided ? (pictures, pictures) : (0, pictures);
        var difference = BlockEdit.Difference(input.narrow(0, from, count), output.narrow(0, from, count));
        if (differences.Remove(site, out var last)) last.Dispose();
        differences[site] = difference.cpu().DetachFromDisposeScope();
        return output;
    }
}
