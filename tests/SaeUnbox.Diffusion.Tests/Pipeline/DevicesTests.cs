using TorchSharp;

namespace SaeUnbox.Diffusion.Tests;

public sealed class DevicesTests
{
    [Theory]
    [InlineData("cpu", 0, null)]
    [InlineData("cuda", 0, "finds no CUDA")]
    [InlineData("cuda:1", 0, "finds no CUDA")]
    [InlineData("cuda", 1, null)]
    [InlineData("cuda:0", 1, null)]
    [InlineData("cuda:1", 2, null)]
    [InlineData("cuda:7", 2, "cuda:0, cuda:1")]
    public void Fault_OfADevice_NamesItAndWhatIsThere(string device, int gpus, string? expected)
    {
        var fault = Devices.Fault(new torch.Device(device), gpus);
        if (expected is null) Assert.Null(fault);
        else Assert.Contains(expected, fault);
        if (expected is not null) Assert.Contains($"The device {device} ", fault);
    }
}
