using TorchSharp;

namespace SaeUnbox.Testing;

/// <summary>Where golden models run: <c>SAEUNBOX_TEST_DEVICE</c> (cpu, cuda, cuda:N), else the CPU.</summary>
public static class TestDevice
{
    public static torch.Device Current { get; } = Choose();

    /// <summary>The tensor on that device.</summary>
    public static torch.Tensor OnTestDevice(this torch.Tensor tensor) => tensor.to(Current);

    private static torch.Device Choose()
    {
        Libtorch.Require();
        var device = new torch.Device(Environment.GetEnvironmentVariable("SAEUNBOX_TEST_DEVICE") is { Length: > 0 } named ? named : "cpu");
        if (device.type == DeviceType.CUDA)
        {
            // The reference's numbers are float32's; TF32 keeps ten bits.
            torch.backends.cuda.matmul.allow_tf32 = false;
            torch.backends.cudnn.allow_tf32 = false;
        }
        return device;
    }
}
