namespace SaeUnbox.Steering.Tests;

public class SaeFolderNameTests
{
    [Theory]
    [InlineData("unet.down_blocks.2.attentions.1_k10_hidden5120_auxk256_bs4096_lr0.0001", "down.2.1")]
    [InlineData("unet.mid_block.attentions.0_k160_hidden640_auxk256_bs4096_lr0.0001", "mid.0")]
    [InlineData("unet.up_blocks.0.attentions.1", "up.0.1")]
    [InlineData("up.0.0_k8_hidden512", "up.0.0")]
    public void TryParse_SiteFirst_FindsIt(string name, string site)
    {
        Assert.True(SaeFolderName.TryParse(name, out var parsed));
        Assert.Equal(site, parsed.Site.Code);
    }

    [Theory]
    [InlineData("final")]
    [InlineData("down_10_5120")]
    [InlineData("unet.down_blocks.2")]
    [InlineData("")]
    public void TryParse_NoSite_IsFalse(string name) => Assert.False(SaeFolderName.TryParse(name, out _));

    [Theory]
    [InlineData(1e-4, 256, "unet.mid_block.attentions.0_k10_hidden5120_auxk256_bs4096_lr0.0001")]
    [InlineData(1e-5, null, "unet.mid_block.attentions.0_k10_hidden5120_auxkNone_bs4096_lr1e-05")]
    public void Of_HyperParameters_GivesTheReferenceName(double rate, int? auxK, string expected) =>
        Assert.Equal(expected, SaeFolderName.Of(Site.Middle, 10, 5120, auxK, 4096, rate));
}
