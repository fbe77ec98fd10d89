using TorchSharp;

namespace SaeUnbox.Steering;

/// <summary>What to load and where.</summary>
public sealed record ModelOptions
{
    /// <summary>An SDXL pipeline folder in diffusers' layout.</summary>
    public required string Folder { get; init; }

    /// <summary>A folder of sparse autoencoders as published; null: none, and features cannot be read or painted.</summary>
    public string? SaeFolder { get; init; }

    /// <summary>Which of the folder's autoencoders, where it has several a site, such as <c>k20_hidden5120</c>; null: the demo's.</summary>
    public string? SaeVariant { get; init; }

    /// <summary>The name recipes use; null: the folder's own name.</summary>
    public string? Name { get; init; }

    public Dtype Dtype { get; init; } = Dtype.Fp32;

    public torch.Device Device { get; init; } = new(DeviceType.CPU);

    public Vae Vae { get; init; } = Vae.Kl;

    /// <summary>A folder of the decoder, where it is not the model's own.</summary>
    public string? VaeFolder { get; init; }

    /// <summary>A folder of another scheduler_config.json, where it is not the model's own.</summary>
    public string? SchedulerFolder { get; init; }

    /// <summary>These options on a device that is named, in the number format that is asked for or that the device is fastest in.</summary>
    /// <exception cref="ModelException">The text names no device.</exception>
    public ModelOptions On(string device, DtypeChoice dtype)
    {
        var parsed = Devices.Parse(device) ?? throw new ModelException($"'{device}' is no device; use cpu, cuda or cuda:N.");
        return this with { Device = parsed, Dtype = dtype.On(parsed) };
    }

    /// <summary>CPU threads of one operator; null: one a core, and one alone for a model of few channels.</summary>
    public int? Threads { get; init; }
}
