using System.Buffers.Text;

namespace SaeUnbox.Core.Tests;

public class MaskTextTests
{
    [Fact]
    public void Text_OfAnyMask_ReadsBackEqual()
    {
        Samples.ForAll(Samples.Masks, mask => BrushMask.Parse(mask.ToString()).Equals(mask), times: 500);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(1024)]
    public void Text_OfEveryLevelOfAScale_IsWholeNumbers(int scale)
    {
        foreach (var chunk in Enumerable.Range(0, scale + 1).Chunk(BrushMask.MaxSide))
        {
            var mask = BrushMask.FromCells(1, chunk.Length, [.. chunk.Select(level => (float)level / scale)]);

            Assert.DoesNotContain("f32", mask.ToString());
            Assert.Equal(mask, BrushMask.Parse(mask.ToString()));
        }
    }

    [Fact]
    public void Text_OfOtherValues_IsExact()
    {
        var mask = BrushMask.FromCells(1, 3, [0.3f, float.Epsilon, MathF.BitDecrement(1)]);

        var text = mask.ToString();

        Assert.StartsWith("1x3/f32:", text);
        Assert.Equal(mask, BrushMask.Parse(text));
    }

    [Fact]
    public void Text_OfAFullMask_IsOneRun()
    {
        var full = BrushMask.FromCells(16, 16, [.. Enumerable.Repeat(1f, 256)]);

        Assert.Equal("16x16/1:gAIB", full.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("full")]
    [InlineData("16x16:gAIB")]
    [InlineData("16x16/1")]
    [InlineData("16/16x1:gAIB")]
    [InlineData("+16x16/1:gAIB")]
    [InlineData("0x16/1:")]
    [InlineData("300x300/1:gAIB")]
    [InlineData("99999999999x1/1:gAIB")]
    [InlineData("16x16/2:gAIB")]
    [InlineData("16x16/01:gAIB")]
    [InlineData("16x16/1:gAI")]
    [InlineData("16x16/1:gAIBAA")]
    [InlineData("16x16/1:gAIC")]
    [InlineData("16x16/1:gQIB")]
    [InlineData("16x16/1:AAEA")]
    [InlineData("16x16/1:_____w")]
    [InlineData("16x16/1:gA$B")]
    [InlineData("16x16/f32:gAIBAA")]
    public void Parse_BrokenText_IsRefused(string text)
    {
        var error = Assert.Throws<RecipeException>(() => BrushMask.Parse(text));

        Assert.Equal("mask", error.Errors[0].Field);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(2f)]
    [InlineData(-1f)]
    public void Parse_FloatOutsideZeroToOne_IsRefused(float value)
    {
        byte[] run = [1, .. BitConverter.GetBytes(value)];

        Assert.Throws<RecipeException>(() => BrushMask.Parse($"1x1/f32:{Base64Url.EncodeToString(run)}"));
    }
}
