using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests.UNets;

/// <summary>The golden folder's U-Net in float32, and the passes recorded of it.</summary>
public sealed class GoldenUNet : IDisposable
{
    private readonly Checkpoint _recorded = Checkpoint.Open(Goldens.At("unet.safetensors"));
    private readonly Weights _weights;

    public GoldenUNet()
    {
        using var file = Checkpoint.OpenFolder(Goldens.At("model", "unet"));
        Config = UNetConfig.From(JsonConfig.Load(Goldens.At("model", "unet", "config.json")));
        _weights = new Weights(file, float32, TestDevice.Current);
        Model = new UNet(_weights, Config);
        _weights.Load();
        Cases = [.. _recorded.Entries.Keys
            .Select(name => name.Split('/')[0])
            .Distinct()
            .Order()
            .Select(name => new GoldenPass(this, name))];
    }

    internal UNetConfig Config { get; }

    internal UNet Model { get; }

    internal Weights Weights => _weights;

    internal IReadOnlyList<GoldenPass> Cases { get; }

    internal Tensor Read(string name) => _recorded.Read(name).OnTestDevice();

    internal bool Has(string name) => _recorded.Entries.ContainsKey(name);

    public void Dispose()
    {
        foreach (var pass in Cases)
            pass.Conditioning.Dispose();

        _weights.Dispose();
        _recorded.Dispose();
    }
}

/// <summary>One recorded forward pass.</summary>
internal sealed class GoldenPass
{
    private readonly GoldenUNet _golden;

    public GoldenPass(GoldenUNet golden, string name)
    {
        (_golden, Name) = (golden, name);
        using var _ = no_grad();
        Conditioning = golden.Model.Prepare(this["encoder_hidden_states"], this["text_embeds"], this["time_ids"]);
    }

    public string Name { get; }

    public UNetConditioning Conditioning { get; }

    public Tensor this[string part] => _golden.Read($"{Name}/{part}");

    /// <summary>The sites whose input and output were recorded.</summary>
    public IReadOnlyList<SiteShape> Sites =>
        [.. _golden.Model.Sites.Where(site => _golden.Has($"{Name}/{site.Site.ModulePath}/output"))];

    public Tensor Forward() => _golden.Model.Forward(this["sample"], this["timestep"], Conditioning);

    public UNetRun Run(IReadOnlyCollection<Site> capture, bool stop = false) =>
        _golden.Model.Run(this["sample"], this["timestep"], Conditioning, capture, stop);
}
