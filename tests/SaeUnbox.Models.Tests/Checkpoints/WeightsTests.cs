using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Models.Tests;

public sealed class WeightsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = torch.NewDisposeScope();

    private Checkpoint Written(params (string Name, torch.Tensor Tensor)[] tensors)
    {
        SafetensorsWriter.Write(_folder.At("w.safetensors"), tensors.Select(item => KeyValuePair.Create(item.Name, item.Tensor)));
        return Checkpoint.Open(_folder.At("w.safetensors"));
    }

    [Fact]
    public void Load_AllFits_FillsConvertedTensors()
    {
        var values = Arithmetic.Range(0, 6, torch.float16).reshape(2, 3);
        using var file = Written(("a.b.weight", values), ("a.norm.weight", values));
        using var weights = new Weights(file, torch.bfloat16);
        var linear = weights.At("a").At("b").Get("weight", 2, 3);
        var norm = weights.At("a.norm").Get("weight", torch.float32, 2, 3);
        weights.Load();
        Assert.Equal((torch.bfloat16, torch.float32), (linear.dtype, norm.dtype));
        TensorAssert.Same(values.to(torch.float32), linear.to(torch.float32));
        TensorAssert.Same(values.to(torch.float32), norm);
        Assert.Equal(["a.b.weight", "a.norm.weight"], weights.Tensors.Keys);
    }

    [Fact]
    public void Load_ManyTensors_TellsOfEachOneAtATime()
    {
        using var file = Written([.. Enumerable.Range(1, 200).Select(i => ($"w{i}", torch.ones([i])))]);
        using var weights = new Weights(file, torch.bfloat16);
        for (var i = 1; i <= 200; i++)
            weights.Get($"w{i}", i);
        var (told, inside) = (new List<long>(), 0);
        weights.Load(count =>
        {
            Assert.Equal(1, Interlocked.Increment(ref inside));
            told.Add(count);
            Interlocked.Decrement(ref inside);
        });
        Assert.Equal(Enumerable.Range(1, 200).Select(i => (long)i), told.Order());
        Assert.All(weights.Tensors.Values, tensor => Assert.Equal(tensor.numel(), tensor.sum().to(torch.float32).item<float>()));
    }

    [Fact]
    public void Load_ATensorAmongManyIsBroken_ThrowsItsErrorAndNoOther()
    {
        const int count = 100;
        var entries = Enumerable.Range(0, count).Select(i => $$"""
            "w{{i}}":{"dtype":"{{(i == count / 2 ? "BOOL" : "U8")}}","shape":[1],"data_offsets":[{{i}},{{i + 1}}]}
            """);
        Handmade.Safetensors(_folder.At("w.safetensors"), $"{{{string.Join(',', entries)}}}", [.. Enumerable.Repeat((byte)2, count)]);
        using var file = Checkpoint.Open(_folder.At("w.safetensors"));
        using var weights = new Weights(file, torch.ScalarType.Byte);
        for (var i = 0; i < count; i++)
            weights.Get($"w{i}", 1);
        Assert.Contains($"w{count / 2}", Assert.Throws<CheckpointException>(() => weights.Load()).Message);
    }

    [Fact]
    public void Load_ManyFaults_ListsThemInOneErrorAndReadsNothing()
    {
        using var file = Written(("extra.one", torch.ones([1])), ("extra.two", torch.ones([1])), ("wide", torch.ones([4, 2])),
            ("fine", torch.ones([3])));
        using var weights = new Weights(file, torch.float32);
        weights.Get("missing.one", 2);
        weights.At("missing").Get("two", 2);
        var wide = weights.Get("wide", 4, 3);
        var fine = weights.Get("fine", 3).Fill(7);

        var message = Assert.Throws<CheckpointException>(() => weights.Load()).Message;
        foreach (var fault in new[]
        {
            "missing.one",
            "missing.two",
            "extra.one",
            "extra.two",
            "wide (is [4, 2], expected [4, 3])",
            "w.safetensors"
        })
            Assert.Contains(fault, message);
        Assert.DoesNotContain("fine", message);
        Assert.Equal([4L, 3L], wide.shape);
        TensorAssert.Same(Arithmetic.Full([3], 7f, torch.float32), fine);
    }

    [Fact]
    public void Get_HugeMismatchedShape_AllocatesNothing()
    {
        using var file = Written(("w", torch.ones([1])));
        using var weights = new Weights(file, torch.float32);
        Assert.Equal([1L << 30, 1L << 30], weights.Get("w", 1L << 30, 1L << 30).shape);
        Assert.Throws<CheckpointException>(() => weights.Load());
    }

    [Fact]
    public void GetFused_ThreeNames_IsOneTensorWithViews()
    {
        var parts = Enumerable.Range(0, 3).Select(i => Arithmetic.Full([2, 4], (float)i, torch.float32)).ToArray();
        using var file = Written(("to_q", parts[0]), ("to_k", parts[1]), ("to_v", parts[2]));
        using var weights = new Weights(file, torch.float32);
        var fused = weights.GetFused(["to_q", "to_k", "to_v"], 2, 4);
        weights.Load();
        TensorAssert.Same(torch.cat(parts, 0), fused);
        Assert.Same(fused, Assert.Single(weights.Leaves));
        fused.Fill(9);
        TensorAssert.Same(Arithmetic.Full([2, 4], 9f, torch.float32), weights.Tensors["to_k"]);
    }

    [Fact]
    public void GetChannelsLast_Kernel_HasTheValuesOfTheFile()
    {
        var kernel = Arithmetic.Range(0, 2 * 3 * 4 * 5, torch.float32).reshape(2, 3, 4, 5);
        using var file = Written(("w", kernel));
        using var weights = new Weights(file, torch.float32);
        var loaded = weights.GetChannelsLast("w", 2, 3, 4, 5);
        weights.Load();
        TensorAssert.Same(kernel, loaded);
        Assert.True(loaded.permute(0, 2, 3, 1).is_contiguous());
        Assert.Same(loaded, Assert.Single(weights.Leaves));
    }

    [Fact]
    public void Has_OptionalTensor_IsTrueWherePresent()
    {
        using var file = Written(("bias", Arithmetic.Full([2], 3f, torch.float32)), ("position_ids", torch.ones([2])));
        using var weights = new Weights(file, torch.float32);
        Assert.False(weights.Has("shortcut"));
        Assert.True(weights.Has("bias"));
        var bias = weights.Get("bias", 2);
        weights.Ignore("position_ids");
        weights.Ignore("never.there");
        weights.Load();
        TensorAssert.Same(Arithmetic.Full([2], 3f, torch.float32), bias);
    }

    [Fact]
    public void Get_InsideADisposeScope_OutlivesIt()
    {
        using var file = Written(("a", torch.ones([2])));
        using var weights = new Weights(file, torch.float32);
        torch.Tensor tensor;
        using (torch.NewDisposeScope())
            tensor = weights.Get("a", 2);
        weights.Load();
        TensorAssert.Same(torch.ones([2]), tensor);
        weights.Dispose();
        Assert.True(tensor.IsInvalid);
    }

    [Fact]
    public void Load_FloatsIntoWholeNumbers_IsAnError()
    {
        using var file = Written(("a", torch.ones([2])));
        using var weights = new Weights(file, torch.float32);
        weights.Get("a", torch.int64, 2);
        Assert.Contains("'a'", Assert.Throws<CheckpointException>(() => weights.Load()).Message);
    }

    [Fact]
    public void RandomWeights_AnyNames_AreReproducibleBySeed()
    {
        using var weights = new Weights(new RandomWeights(7), torch.float32);
        var (linear, bias, norm) = (weights.Get("fc.weight", 64, 256), weights.Get("fc.bias", 64), weights.Get("norm.weight", 64));
        weights.Load();
        TensorAssert.Same(torch.zeros([64]), bias);
        TensorAssert.Same(torch.ones([64]), norm);
        Assert.InRange(linear.std().item<float>(), 0.9 / 16, 1.1 / 16);
        Assert.InRange(linear.mean().item<float>(), -0.01, 0.01);

        var (again, other) = (torch.empty([64, 256]), torch.empty([64, 256]));
        new RandomWeights(7).Read("fc.weight", again);
        new RandomWeights(8).Read("fc.weight", other);
        TensorAssert.Same(linear, again);
        Assert.True((linear - other).abs().max().item<float>() > 0.1);

        new RandomWeights(7) { Drawn = 256 }.Read("fc.weight", again);
        TensorAssert.Same(again[0], again[63]);
        Assert.InRange(again.std().item<float>(), 0.8 / 16, 1.2 / 16);
    }

    [Fact]
    public void RandomWeights_AbsentNames_AreNotFound()
    {
        using var weights = new Weights(new RandomWeights(1, name => name.StartsWith("add_")), torch.float32);
        Assert.False(weights.Has("add_k.weight"));
        Assert.True(weights.Has("to_k.weight"));
    }

    [Fact]
    public void RenamedSource_OldAttentionNames_LoadUnderTheirNewNames()
    {
        using var file = Written(("decoder.mid_block.attentions.0.query.weight", torch.ones([2])),
            ("decoder.mid_block.attentions.0.proj_attn.bias", torch.ones([2])),
            ("decoder.mid_block.attentions.0.group_norm.weight", torch.ones([2])));
        var source = RenamedSource.WithPresentAttentionNames(file);
        Assert.Equal(
            [
                "decoder.mid_block.attentions.0.group_norm.weight",
                "decoder.mid_block.attentions.0.to_out.0.bias",
                "decoder.mid_block.attentions.0.to_q.weight"
            ],
            source.Names.Order());
        using var weights = new Weights(source, torch.float32);
        foreach (var name in source.Names)
            weights.Get(name, 2);
        weights.Load();
        Assert.All(weights.Tensors.Values, tensor => TensorAssert.Same(torch.ones([2]), tensor));
    }

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }
}
