using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

public sealed class InspectionTests
{
    [Fact]
    public void Read_PipelineFolder_NamesEachComponent()
    {
        var inspection = Inspection.Read(Goldens.At("model"));
        Assert.Equal(CheckpointKind.Pipeline, inspection.Kind);
        var kinds = inspection.Parts.ToDictionary(part => Path.GetFileName(part.Path), part => part.Kind);
        Assert.Equal(CheckpointKind.UNet, kinds["unet"]);
        Assert.Equal(CheckpointKind.Autoencoder, kinds["vae"]);
        Assert.Equal(CheckpointKind.TextEncoder, kinds["text_encoder_2"]);
        Assert.Equal(CheckpointKind.Tokenizer, kinds["tokenizer"]);
        Assert.Equal(CheckpointKind.Scheduler, kinds["scheduler"]);
        Assert.Equal(inspection.Parts.Sum(part => part.Parameters), inspection.Parameters);
    }

    [Fact]
    public void Read_SaeFolder_FindsWeightsStridesAndStatistics()
    {
        var set = Inspection.Read(Goldens.At("saes"));
        Assert.Equal(CheckpointKind.SparseAutoencoders, set.Kind);
        Assert.All(set.Parts, sae =>
        {
            Assert.Equal(CheckpointKind.SparseAutoencoder, sae.Kind);
            var decoder = Assert.Single(sae.Tensors, tensor => tensor.Name == "state_dict.decoder.weight");
            Assert.Equal([1L, decoder.Shape[0]], decoder.Strides!);
            Assert.Equal($"{decoder.Shape[1]}", sae.Facts["n_dirs_local"]);
            Assert.All(sae.Parts, part => Assert.Equal(CheckpointKind.BareTensor, part.Kind));
        });
    }

    [Fact]
    public void Read_TinyAutoencoder_IsRecognised() =>
        Assert.Equal(CheckpointKind.TinyAutoencoder, Inspection.Read(Goldens.At("vae_tiny")).Kind);

    [Theory]
    [InlineData("kohya", "kohya")]
    [InlineData("peft", "PEFT")]
    [InlineData("diffusers", "diffusers")]
    public void Read_Lora_TellsRanksNetworksAndNames(string form, string names)
    {
        using var folder = new TemporaryFolder();
        WrittenLora.Write(folder.At("style.safetensors"), form,
            new LoraTarget("unet", "mid_block.attentions.0.proj_in", [40, 40], Rank: 4),
            new LoraTarget("text_encoder_2", "text_model.encoder.layers.0.mlp.fc1", [160, 40], Rank: 16));
        var inspection = Inspection.Read(folder.At("style.safetensors"));
        Assert.Equal(CheckpointKind.Lora, inspection.Kind);
        Assert.Equal($"LoRA of rank 4 to 16 for 2 modules of U-Net, text encoder 2, in names of {names}", inspection.Title);
    }

    [Fact]
    public void Read_DamagedData_FailsItsChecksum() =>
        Assert.Throws<CheckpointException>(() => Inspection.Read(Goldens.At("badfiles", "zip_bad_crc.pt")));

    [Fact]
    public void Read_UnknownFile_SaysSo()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("neither a model nor a checkpoint", Assert.Throws<CheckpointException>(() => Inspection.Read(folder.Path)).Message);
        Assert.Contains("does not exist", Assert.Throws<CheckpointException>(() => Inspection.Read(folder.At("absent.pt"))).Message);
    }

    [Fact]
    public void Read_FileWithChecksums_ReportsProgressAndCanBeCancelled()
    {
        var path = Goldens.At("saes_other", "probe", "state_dict.pth");
        var told = new List<(string File, double Share)>();
        Inspection.Read(path, (file, share) => told.Add((file, share)));
        Assert.True(told.Count > 1 && told.TrueForAll(one => one.File == path));
        Assert.Equal((0, true), (told[0].Share, told[^1].Share < 1));
        Assert.Throws<OperationCanceledException>(() => Inspection.Read(path, (_, _) => throw new OperationCanceledException()));
    }
}
