namespace SaeUnbox.Models.Tests;

public sealed class DevicesTests
{
    [Theory]
    [InlineData("cpu", 0, null)]
    [InlineData("cuda", 0, "finds 0 CUDA devices; use cpu")]
    [InlineData("cuda:1", 0, "finds 0 CUDA devices; use cpu")]
    [InlineData("cuda", 1, null)]
    [InlineData("cuda:0", 1, null)]
    [InlineData("cuda:1", 2, null)]
    [InlineData("cuda:1", 1, "finds 1 CUDA device; use cuda:0 or cpu")]
    [InlineData("cuda:99", 2, "finds 2 CUDA devices; use one of cuda:0 to cuda:1")]
    public void FindFault_MissingDevice_NamesItAndTheOthers(string device, int gpus, string? expected)
    {
        var fault = Devices.FindFault(Devices.Parse(device)!, gpus);
        if (expected is null)
            Assert.Null(fault);
        else
            Assert.Contains(expected, fault);
        if (expected is not null)
            Assert.Contains($"The device {device} ", fault);
    }

    [Theory]
    [InlineData("cpu:1")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:")]
    [InlineData("cuda:x")]
    [InlineData("CPU")]
    [InlineData("1")]
    [InlineData("")]
    public void Parse_NoDevice_IsNull(string text) => Assert.Null(Devices.Parse(text));
}
