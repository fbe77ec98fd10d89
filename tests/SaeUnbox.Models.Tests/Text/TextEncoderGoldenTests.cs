using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class TextEncoderGoldenTests
{
    private static readonly Checkpoint File = Checkpoint.Open(Goldens.At("text.safetensors"));
    private static readonly string[] Prompts = [.. Goldens
        .Json("text.json")
        .GetProperty("prompts")
        .EnumerateArray()
        .Select(p => p.GetString()!)];
    private static readonly PromptEncoder Encoder =
        PromptEncoder.Load(Goldens.At("model"), Precision.For(ScalarType.Float32, TestDevice.Current));

    public static TheoryData<int> AllPrompts() => new(Enumerable.Range(0, Prompts.Length));

    [Theory]
    [MemberData(nameof(AllPrompts))]
    public void Tokenize_GoldenPrompt_GivesTheReferenceIds(int prompt)
    {
        using var scope = NewDisposeScope();
        var tokens = Encoder.Tokenize(Prompts[prompt]);
        Assert.Equal(File.Read($"{prompt}/ids_1").data<int>().ToArray(), tokens[0].Ids);
        Assert.Equal(File.Read($"{prompt}/ids_2").data<int>().ToArray(), tokens[1].Ids);
    }

    [Theory]
    [MemberData(nameof(AllPrompts))]
    public void Forward_GoldenPrompt_GivesTheReferenceStates(int prompt)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var tokens = Encoder.Tokenize(Prompts[prompt]);
        CheckStates(prompt, 1, Load("text_encoder").Forward([tokens[0].Ids]));
        CheckStates(prompt, 2, Load("text_encoder_2").Forward([tokens[1].Ids]));
    }

    [Fact]
    public void Encode_AllGoldenPrompts_GivesTheReferenceEmbeddings()
    {
        using var scope = NewDisposeScope();
        var encoding = Encoder.Encode(Prompts);
        Assert.Equal([Prompts.Length, Encoder.Length, Encoder.HiddenSize], encoding.Hidden.shape);
        Assert.Equal([Prompts.Length, Encoder.PooledSize], encoding.Pooled!.shape);
        for (var i = 0; i < Prompts.Length; i++)
        {
            TensorAssert.Close(cat([File.Read($"{i}/hidden_1"), File.Read($"{i}/hidden_2")], -1), encoding.Hidden.narrow(0, i, 1),
                Limit.TextStates);
            TensorAssert.Close(File.Read($"{i}/text_embeds"), encoding.Pooled.narrow(0, i, 1), Limit.TextPooled);
        }
        TensorAssert.Close(File.Read("0/prompt_embeds"), encoding.Hidden.narrow(0, 0, 1), Limit.TextStates);
    }

    [Fact]
    public void Encode_EmptyNegativePrompt_IsTheEncodingOfAnEmptyText()
    {
        using var scope = NewDisposeScope();
        var encoding = Encoder.Encode("");
        TensorAssert.Close(File.Read("negative_empty_string/negative_prompt_embeds"), encoding.Hidden, Limit.TextStates);
        TensorAssert.Close(File.Read("negative_empty_string/negative_pooled"), encoding.Pooled!, Limit.TextPooled);
    }

    [Fact]
    public void Encode_BFloat16_IsNearTheReference()
    {
        using var scope = NewDisposeScope();
        using var encoder = PromptEncoder.Load(Goldens.At("model"), Precision.For(ScalarType.BFloat16, CPU));
        var encoding = encoder.Encode(Prompts[0]);
        Assert.Equal(ScalarType.BFloat16, encoding.Hidden.dtype);
        TensorAssert.RelativelyClose(File.Read("0/prompt_embeds"), encoding.Hidden, 0.03);
        TensorAssert.RelativelyClose(File.Read("0/text_embeds"), encoding.Pooled!, 0.05);
    }

    private static void CheckStates(int prompt, int which, ClipTextStates states)
    {
        TensorAssert.Close(File.Read($"{prompt}/hidden_{which}"), states.Penultimate, Limit.TextStates);
        if (File.Entries.ContainsKey($"{prompt}/last_{which}"))
            TensorAssert.Close(File.Read($"{prompt}/last_{which}"), states.Last, Limit.TextStates);
        if (which == 2)
            TensorAssert.Close(File.Read($"{prompt}/text_embeds"), states.Pooled, Limit.TextPooled);
    }

    private static ClipTextEncoder Load(string component)
    {
        using var checkpoint = Checkpoint.OpenFolder(Goldens.At("model", component));
        var config = ClipTextConfig.From(JsonConfig.Load(Goldens.At("model", component, "config.json")));
        return Precision.For(ScalarType.Float32, TestDevice.Current).Load(checkpoint,
            weights => new ClipTextEncoder(weights, config)).Module;
    }
}
