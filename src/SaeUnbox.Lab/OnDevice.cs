using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>Loads models onto a device given by name, so that the caller needs no TorchSharp types. Names are cpu, cuda and
/// cuda:N.</summary>
public static class OnDevice
{
    /// <summary>Checks that a device exists.</summary>
    /// <returns>Its name.</returns>
    /// <exception cref="ModelException">The name is not a device name, or there is no such device.</exception>
    public static string Require(string device)
    {
        Open(device);
        return device;
    }

    /// <inheritdoc cref="SaeSet.Load"/>
    public static SaeSet LoadAutoencoders(string folder, string device, string? variant = null, int? k = null) =>
        SaeSet.Load(folder, Open(device), variant, k);

    /// <inheritdoc cref="SaeLoader.Load"/>
    public static SparseAutoencoder LoadAutoencoder(string folder, string device) => SaeLoader.Load(folder, Open(device));

    /// <summary>Loads CLIP in float32.</summary>
    /// <exception cref="ModelException">The folder does not hold a CLIP model.</exception>
    public static ClipModel LoadClip(string folder, string device) => ClipModel.Load(folder, device: Open(device));

    /// <exception cref="ModelException">The name is not a device name, or there is no such device.</exception>
    internal static Device Open(string device) =>
        Devices.Require(Devices.Parse(device) ?? throw new ModelException($"'{device}' is not a device; use cpu, cuda or cuda:N."));
}
