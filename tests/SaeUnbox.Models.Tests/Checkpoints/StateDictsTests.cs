using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Models.Tests;

public sealed class StateDictsTests : IDisposable
{
    private static readonly string[] Containers = ["", "state_dict", "model_state_dict", "model"];
    private static readonly string[] Prefixes = ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."];
    private static readonly string[] Siblings = ["optimizer", "optimizer_states", "lr_scheduler", "ema_model", "scaler", "rng_state"];

    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = torch.NewDisposeScope();

    [Fact]
    public void Unwrap_EveryContainerAndPrefix_GivesTheModelsTensors()
    {
        foreach (var container in Containers)
            foreach (var prefix in Prefixes)
                foreach (var sibling in container.Length == 0 ? [""] : Siblings.Append(""))
                {
                    string? told = null;
                    using var file = Save(container, prefix, sibling);
                    var source = StateDicts.Unwrap(file, note => told = note);
                    Assert.Equal(["a.bias", "a.weight"], source.Names.Order(StringComparer.Ordinal));
                    using var weights = new Weights(source, torch.float32);
                    var (bias, matrix) = (weights.Get("a.bias", 2), weights.Get("a.weight", 2, 2));
                    weights.Load();
                    Assert.Equal((1f, 3f), (bias.sum().item<float>() / 2, matrix.sum().item<float>() / 4));

                    Assert.Equal(container.Length + prefix.Length == 0, told is null);
                    foreach (var named in new[] { container, prefix, sibling }.Where(part => part.Length > 0))
                        Assert.Contains(named, told);
                }
    }

    [Theory]
    [InlineData("module.a", "b")]
    [InlineData("model.a", "conditioner.b")]
    [InlineData("model.a", "first_stage_model.b")]
    [InlineData("state_dict.a", "discriminator.b")]
    [InlineData("modules.a", "modules.b")]
    [InlineData("a", "optimizer.b")]
    public void Unwrap_NamesOfTheModel_StayAsTheyAre(string one, string other)
    {
        using var file = Written((one, torch.ones([1])), (other, torch.ones([1])));
        Assert.Same(file, StateDicts.Unwrap(file, _ => Assert.Fail("nothing was left out")));
    }

    [Theory]
    [InlineData(torch.ScalarType.Int8)]
    [InlineData(torch.ScalarType.Byte)]
    [InlineData(torch.ScalarType.Int16)]
    [InlineData(torch.ScalarType.Int32)]
    [InlineData(torch.ScalarType.Int64)]
    [InlineData(torch.ScalarType.Bool)]
    public void Load_IntegersInsteadOfFloats_AreNamedAsQuantised(torch.ScalarType type)
    {
        var matrix = torch.ones([2, 3]).to(type);
        foreach (var scales in (string?[])[null, "a.SCB", "a.weight.absmax", "a.scale_weight"])
            foreach (var dtype in new[] { torch.float32, torch.bfloat16 })
            {
                (string, torch.Tensor)[] tensors = scales is null
                    ? [("a.weight", matrix)] : [("a.weight", matrix), (scales, torch.ones([2]))];
                using var file = Written(tensors);
                using var weights = new Weights(file, dtype);
                weights.Get("a.weight", 2, 3);
                var message = Assert.Throws<CheckpointException>(() => weights.Load()).Message;
                Assert.Contains("quantised", message);
                Assert.Contains("a.weight is", message);
                Assert.Equal(scales is not null, message.Contains("scales lie beside them"));
            }
    }

    [Theory]
    [InlineData("a.qweight")]
    [InlineData("a.weight_scale")]
    [InlineData("scaled_fp8")]
    public void Load_ScalesOfAQuantisedFormat_AreNamedInsteadOfExtra(string scales)
    {
        using var file = Written(("a.weight", torch.ones([2, 3])), (scales, torch.ones([2])));
        using var weights = new Weights(file, torch.float32);
        weights.Get("a.weight", 2, 3);
        Assert.Contains("quantised", Assert.Throws<CheckpointException>(() => weights.Load()).Message);
    }

    [Fact]
    public void Load_ExpectedIntegers_AreRead()
    {
        using var file = Written(("steps", torch.tensor([7L])));
        using var weights = new Weights(file, torch.float32);
        var steps = weights.Get("steps", torch.int64, 1);
        weights.Load();
        Assert.Equal(7, steps[0].item<long>());
    }

    [Fact]
    public void Load_MatrixStoredAsConvolution_IsEqual()
    {
        var matrix = torch.randn([3, 4]);
        using var file = Written(("a", matrix.view(3, 4, 1, 1)), ("b", matrix), ("c", matrix), ("d", matrix.view(3, 4, 1, 1)));
        using var weights = new Weights(file, torch.float32);
        var plain = weights.Get("a", 3, 4);
        var convolution = weights.GetChannelsLast("b", 3, 4, 1, 1);
        var fused = weights.GetFused(["c", "d"], 3, 4);
        weights.Load();
        TensorAssert.Same(matrix, plain);
        TensorAssert.Same(matrix.view(3, 4, 1, 1), convolution);
        TensorAssert.Same(torch.cat([matrix, matrix], 0), fused);
    }

    [Theory]
    [InlineData(new long[] { 3, 4, 1 }, new long[] { 3, 4 })]
    [InlineData(new long[] { 3, 4, 1, 2 }, new long[] { 3, 4 })]
    [InlineData(new long[] { 4, 3, 1, 1 }, new long[] { 3, 4 })]
    [InlineData(new long[] { 1, 1 }, new long[] { 1 })]
    public void Load_AnyOtherShape_IsMisshapen(long[] stored, long[] wanted)
    {
        using var file = Written(("a", torch.ones(stored)));
        using var weights = new Weights(file, torch.float32);
        weights.Get("a", wanted);
        Assert.Contains("misshapen", Assert.Throws<CheckpointException>(() => weights.Load()).Message);
    }

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    private Checkpoint Written(params (string Name, torch.Tensor Tensor)[] tensors)
    {
        SafetensorsWriter.Write(_folder.At("w.safetensors"), tensors.Select(item => KeyValuePair.Create(item.Name, item.Tensor)));
        return Checkpoint.Open(_folder.At("w.safetensors"));
    }

    private Checkpoint Save(string container, string prefix, string sibling)
    {
        var state = new Dictionary<string, object?>
        {
            [$"{prefix}a.weight"] = torch.ones([2, 2]).Times(3),
            [$"{prefix}a.bias"] = torch.ones([2]),
        };
        var root = container.Length == 0 ? state : new Dictionary<string, object?> { [container] = state, ["epoch"] = 3 };
        if (sibling.Length > 0)
            root[sibling] = new Dictionary<string, object?> { ["state"] = torch.zeros([5]) };
        TorchFileWriter.Write(_folder.At("w.pt"), root);
        return Checkpoint.Open(_folder.At("w.pt"));
    }
}
