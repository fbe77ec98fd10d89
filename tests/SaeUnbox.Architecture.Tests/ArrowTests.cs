namespace SaeUnbox.Architecture.Tests;

/// <summary>Which room may use which: what an assembly refers to after the compiler dropped what its code does not use.</summary>
public sealed class ArrowTests
{
    private const string Tensors = "TorchSharp", Web = "Microsoft.AspNetCore";

    [Theory]
    [InlineData("SaeUnbox.Core", "SaeUnbox.", Tensors, Web)]
    [InlineData("SaeUnbox.Models", "SaeUnbox.Steering", "SaeUnbox.Serving", "SaeUnbox.Lab", "SaeUnbox.Mini", Web)]
    [InlineData("SaeUnbox.Steering", "SaeUnbox.Serving", "SaeUnbox.Lab", "SaeUnbox.Mini", Web)]
    [InlineData("SaeUnbox.Serving", "SaeUnbox.Lab", "SaeUnbox.Mini", "SaeUnbox.Web", Tensors, Web)]
    [InlineData("SaeUnbox.Lab", "SaeUnbox.Mini", "SaeUnbox.Web", Web)]
    [InlineData("SaeUnbox.Mini", "SaeUnbox.Web", Web)]
    [InlineData("SaeUnbox.Web", "SaeUnbox.Lab", "SaeUnbox.Mini", Tensors)]
    [InlineData("saeunbox", "SaeUnbox.Web", Tensors)]
    public void Room_RefersToNoneOf(string room, params string[] forbidden)
    {
        var module = CompiledCode.Projects.Single(project => project.Name == room + ".dll");
        Assert.DoesNotContain(module.AssemblyReferences,
            reference => forbidden.Any(start => reference.Name.StartsWith(start, StringComparison.Ordinal)));
    }
}
