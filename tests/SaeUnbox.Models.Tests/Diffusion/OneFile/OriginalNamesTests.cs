using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

public sealed class OriginalNamesTests
{
    [Theory]
    [InlineData("unet", "down_blocks.0.downsamplers.0.conv.weight", "input_blocks.3.0.op.weight")]
    [InlineData("unet", "down_blocks.1.resnets.0.conv_shortcut.bias", "input_blocks.4.0.skip_connection.bias")]
    [InlineData("unet", "down_blocks.2.attentions.1.transformer_blocks.9.attn2.to_k.weight",
        "input_blocks.8.1.transformer_blocks.9.attn2.to_k.weight")]
    [InlineData("unet", "mid_block.resnets.1.norm2.weight", "middle_block.2.out_layers.0.weight")]
    [InlineData("unet", "up_blocks.0.upsamplers.0.conv.bias", "output_blocks.2.2.conv.bias")]
    [InlineData("unet", "up_blocks.1.attentions.2.proj_out.weight", "output_blocks.5.1.proj_out.weight")]
    [InlineData("unet", "up_blocks.2.resnets.2.time_emb_proj.weight", "output_blocks.8.0.emb_layers.1.weight")]
    [InlineData("unet", "add_embedding.linear_2.bias", "label_emb.0.2.bias")]
    [InlineData("unet", "conv_norm_out.weight", "out.0.weight")]
    [InlineData("vae", "decoder.up_blocks.0.upsamplers.0.conv.weight", "decoder.up.3.upsample.conv.weight")]
    [InlineData("vae", "decoder.up_blocks.3.resnets.2.conv2.bias", "decoder.up.0.block.2.conv2.bias")]
    [InlineData("vae", "encoder.down_blocks.1.resnets.0.conv_shortcut.weight", "encoder.down.1.block.0.nin_shortcut.weight")]
    [InlineData("vae", "encoder.mid_block.attentions.0.to_out.0.bias", "encoder.mid.attn_1.proj_out.bias")]
    [InlineData("text_encoder_2", "text_model.encoder.layers.31.mlp.fc2.weight", "transformer.resblocks.31.mlp.c_proj.weight")]
    [InlineData("text_encoder_2", "text_model.embeddings.position_embedding.weight", "positional_embedding")]
    [InlineData("text_encoder_2", "text_projection.weight", "text_projection")]
    public void ToFile_NameOfSdxl_IsTheOriginalOne(string part, string folder, string file)
    {
        var names = NamesOf(part, Manifest(part).ContainsKey);
        Assert.Equal(file, names.ToFile(folder));
        Assert.Equal(folder, names.ToFolder(file));
    }

    [Theory]
    [InlineData("unet")]
    [InlineData("vae")]
    [InlineData("text_encoder_2")]
    public void ToFolder_OriginalNames_MapBackToEveryName(string part)
    {
        var folder = Manifest(part).Keys.ToList();
        var there = NamesOf(part, folder.Contains);
        var file = folder.Select(there.ToFile).ToHashSet();
        Assert.Equal(folder.Count, file.Count);
        var back = NamesOf(part, file.Contains);
        Assert.Equal(folder.Order(StringComparer.Ordinal), file.Select(back.ToFolder).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Of_ShapesOfSdxl_GiveItsPublishedConfigurations()
    {
        var unet = UNetConfig.From(Derived("unet"));
        var published = UNetConfig.From(Published("unet"));
        Assert.Equal(published.Levels, unet.Levels);
        // Turbo's was trained at half the side; no shape tells.
        Assert.Equal(published with { Levels = unet.Levels, SampleSize = 2 * published.SampleSize }, unet);
        foreach (var part in (string[])["text_encoder", "text_encoder_2"])
            Assert.Equal(ClipTextConfig.From(Published(part)), ClipTextConfig.From(Derived(part)) with
            {
                // The first encoder has no projection, so that its size is of no use.
                ProjectionSize = ClipTextConfig.From(Published(part)).ProjectionSize,
            });
        var (vae, publishedVae) = (AutoencoderKLConfig.From(Derived("vae")), AutoencoderKLConfig.From(Published("vae")));
        Assert.Equal(publishedVae.BlockOutChannels, vae.BlockOutChannels);
        Assert.Equal(publishedVae with { BlockOutChannels = vae.BlockOutChannels }, vae);
    }

    private static NameMap NamesOf(string part, Func<string, bool> has) => part switch
    {
        "unet" => OriginalNames.UNet(has),
        "vae" => OriginalNames.Autoencoder(has),
        _ => OriginalNames.TextEncoder(has),
    };

    private static JsonConfig Derived(string part) =>
        JsonConfig.Parse(OneFileConfigs.Of(OriginalModel.Sdxl, part, Manifest(part), null).ToJsonString(), part);

    private static JsonConfig Published(string part) => JsonConfig.Load(Goldens.At("manifests", $"{part}.config.json"));

    private static Dictionary<string, TensorEntry> Manifest(string part) => Goldens.Json("manifests", $"{part}.json").EnumerateObject()
        .ToDictionary(
            entry => entry.Name,
            entry => new TensorEntry(entry.Name, ElementType.F16, [.. entry.Value.EnumerateArray().Select(size => size.GetInt64())]));
}
