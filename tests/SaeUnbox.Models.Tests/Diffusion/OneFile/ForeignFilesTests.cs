using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class ForeignFilesTests
{
    [Theory]
    [InlineData("lora_unet_down_blocks_1_attentions_0_proj_in.lora_down.weight", "LoRA")]
    [InlineData("unet.down_blocks.1.attentions.0.proj_in.lora_A.weight", "LoRA")]
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
    [InlineData(768, "SD 1.x in the original layout, U-Net")]
    [InlineData(1024, "SD 2.x in the original layout, U-Net")]
    [InlineData(1280, "tensors")]
    public void Inspect_UNetAlone_NamesItsModel(int width, string title)
    {
        using var folder = new TemporaryFolder();
        var path = folder.At("unet.safetensors");
        using var first = zeros(320, 4, 3, 3, dtype: ScalarType.Float16);
        using var key = zeros(320, width, dtype: ScalarType.Float16);
        SafetensorsWriter.Write(path,
        [
            KeyValuePair.Create("model.diffusion_model.input_blocks.0.0.weight", first),
            KeyValuePair.Create("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", key),
        ]);
        Assert.Equal(title, Inspection.Read(path).Title);
    }
}
