using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class ForeignFilesTests
{
    [Theory]
    [InlineData("lora_unet_down_blocks_1_attentions_0_proj_in.lora_down.weight", "LoRA")]
    [InlineData("unet.down_blocks.1.attentions.0.proj_in.lora_A.weight", "LoRA")]
    [InlineData("cond_stage_model.transformer.text_model.embeddings.token_embedding.weight", "SD 1.x")]
    [InlineData("cond_stage_model.model.token_embedding.weight", "SD 2.x")]
    [InlineData("conditioner.embedders.0.model.token_embedding.weight", "refiner")]
    [InlineData("control_model.input_blocks.0.0.weight", "ControlNet")]
    [InlineData("emb_params", "textual inversion")]
    [InlineData("clip_g", "textual inversion")]
    [InlineData("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "Flux")]
    [InlineData("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", "SD 3")]
    [InlineData("text_model.embeddings.token_embedding.weight", "text encoder")]
    [InlineData("vision_model.embeddings.class_embedding", "CLIP")]
    [InlineData("something.else", "something.else")]
    public void Load_OtherKindOfFile_SaysWhatItIs(string tensor, string what)
    {
        using var folder = new TemporaryFolder();
        var path = folder.At("model.safetensors");
        using var value = zeros(2, 2);
        SafetensorsWriter.Write(path, [KeyValuePair.Create(tensor, value)]);
        var message = Assert.Throws<ModelException>(() => DiffusionPipeline.Load(path)).Message;
        Assert.StartsWith(path, message);
        Assert.Contains(what, message);
    }

    [Theory]
    [InlineData(768, "SD 1.x")]
    [InlineData(1024, "SD 2.x")]
    public void Load_UNetOfAnotherModel_NamesIt(int width, string what)
    {
        using var folder = new TemporaryFolder();
        var path = folder.At("unet.safetensors");
        using var key = zeros(320, width, dtype: ScalarType.Float16);
        SafetensorsWriter.Write(path,
            [KeyValuePair.Create("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", key)]);
        Assert.Contains(what, Assert.Throws<ModelException>(() => DiffusionPipeline.Load(path)).Message);
    }
}
