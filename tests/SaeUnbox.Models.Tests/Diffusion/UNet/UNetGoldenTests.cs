using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests.UNets;

public sealed class UNetGoldenTests(GoldenUNet golden) : IClassFixture<GoldenUNet>
{
    [Fact]
    public void Forward_RecordedPass_GivesRecordedOutput()
    {
        Assert.NotEmpty(golden.Cases);
        foreach (var pass in golden.Cases)
        {
            using var scope = NewDisposeScope();
            using var mode = inference_mode();
            TensorAssert.Close(pass["output"], pass.Forward(), Limit.UNetOutput);
        }
    }

    [Fact]
    public void Run_RecordedPass_CapturesRecordedInputsAndOutputs()
    {
        foreach (var pass in golden.Cases)
        {
            using var scope = NewDisposeScope();
            using var mode = inference_mode();
            Assert.NotEmpty(pass.Sites);
            using var run = pass.Run([.. pass.Sites.Select(s => s.Site)]);
            TensorAssert.Close(pass["output"], run.Output!, Limit.UNetOutput);
            foreach (var site in pass.Sites)
            {
                var state = run.States[site.Site];
                TensorAssert.Close(pass[$"{site.Site.ModulePath}/input"], state.Input, Limit.Block);
                TensorAssert.Close(pass[$"{site.Site.ModulePath}/output"], state.Output, Limit.Block);
            }
        }
    }

    [Fact]
    public void Forward_GradientsOn_GivesTheSameAsWithout()
    {
        foreach (var pass in golden.Cases)
        {
            using var scope = NewDisposeScope();
            Tensor without;
            using (no_grad())
                without = pass.Forward();

            TensorAssert.Close(without, pass.Forward(), Limit.UNetOutput);
        }
    }

    [Fact]
    public void Sites_GoldenModel_ListsEveryTransformerInOrder()
    {
        var down = golden.Config.Levels.SelectMany((level, i) =>
            Enumerable.Range(0, level.DownAttention ? level.Layers : 0)
                .Select(j => ($"down.{i}.{j}", $"unet.down_blocks.{i}.attentions.{j}", level.Channels)));
        var mid = ("mid.0", "unet.mid_block.attentions.0", golden.Config.Levels[^1].Channels);
        var up = golden.Config.Levels.Reverse().SelectMany((level, i) =>
            Enumerable.Range(0, level.UpAttention ? level.Layers + 1 : 0)
                .Select(j => ($"up.{i}.{j}", $"unet.up_blocks.{i}.attentions.{j}", level.Channels)));
        Assert.Equal([.. down, mid, .. up], golden.Model.Sites.Select(s => (s.Site.Code, s.Site.ModulePath, s.Channels)));
    }

    [Fact]
    public void Sites_Downscale_IsLatentSideOverSiteSide()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        var pass = golden.Cases[0];
        using var run = pass.Run([.. golden.Model.Sites.Select(s => s.Site)], stop: true);
        Assert.Null(run.Output);
        foreach (var site in golden.Model.Sites)
        {
            Assert.Equal(pass["sample"].shape[2] / site.Downscale, run.States[site.Site].Output.shape[2]);
            Assert.Equal(site.Channels, run.States[site.Site].Output.shape[1]);
        }
    }
}
