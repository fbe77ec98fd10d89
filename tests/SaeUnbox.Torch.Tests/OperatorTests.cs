using System.Runtime.InteropServices;
using TorchSharp.Interop;
using static TorchSharp.torch;

namespace TorchSharp.Tests;

public class OperatorTests
{
    [Fact]
    public void Call_TwoMatrices_GivesTheirProduct()
    {
        using var scope = NewDisposeScope();
        var a = tensor([1f, 2f, 3f, 4f], [2, 2]);
        var b = tensor([5f, 6f, 7f, 8f], [2, 2]);
        Assert.Equal([19f, 22f, 43f, 50f], a.mm(b).data<float>().ToArray());
    }

    [Fact]
    public void Call_ShapesThatDoNotFit_NamesOperatorAndShapes()
    {
        using var scope = NewDisposeScope();
        var error = Assert.ThrowsAny<ExternalException>(() => zeros(2, 3).mm(zeros(4, 5)));
        Assert.Contains("aten::mm", error.Message);
        Assert.Contains("[2x3]", error.Message);
        Assert.Contains("[4x5]", error.Message);
        Assert.Equal("aten::mm", Assert.IsType<NativeOperationException>(error).Operation);
    }

    [Fact]
    public void Call_UnknownOperator_SaysThisLibtorchHasNone()
    {
        using var tensor = zeros(1);
        var error = Assert.ThrowsAny<ExternalException>(() => new Operator("no_such_operator").Call(tensor));
        Assert.Contains("aten::no_such_operator", error.Message);
    }

    [Fact]
    public void Aten_EveryOperator_IsInThisLibtorch()
    {
        // The fused attention came with libtorch 2; ours is composed where it is missing.
        var missing = typeof(Aten).GetFields(System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic)
            .Select(field => (Operator)field.GetValue(null)!)
            .Where(op => !op.Exists)
            .Select(op => op.Name);
        Assert.Empty(missing.Except(["aten::scaled_dot_product_attention"]));
    }

    [Fact]
    public async Task Call_InPlaceOnOneThreadDisposedOnAnother_NeverCrashes()
    {
        var shared = ones(1000).DetachFromDisposeScope();
        var worker = Task.Run(() =>
        {
            try
            {
                for (var i = 0; i < 10_000; i++) shared.add_(1);
            }
            catch (ObjectDisposedException)
            {
            }
        });
        shared.Dispose();
        await worker;
        Assert.True(shared.IsInvalid);
    }
}
