using System.Net.Http.Headers;
using System.Text;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests;

/// <summary>The sample that uses a studio.</summary>
[Collection(nameof(Studio))]
public sealed class SampleTests(Studio studio)
{
    [Fact]
    public async Task TalkToTheHub_RunningStudio_SavesThePictureOfItsStroke()
    {
        using var folder = new TemporaryFolder();
        var file = folder.At("frame.jpg");

        var lines = await SampleProgram.RunAsync("TalkToTheHub", studio.Address.ToString(), file);

        var opened = Recipe.FromJson(lines[0][lines[0].IndexOf('{')..]);
        var cells = new float[16 * 16];
        cells.AsSpan(cells.Length / 2).Fill(1);
        var painted = opened with { Edits = [opened.Edits[0] with { Mask = BrushMask.FromCells(16, 16, cells) }] };
        Assert.Equal(await PictureOfAsync(painted), await File.ReadAllBytesAsync(file));
        Assert.NotEqual(await PictureOfAsync(opened), await File.ReadAllBytesAsync(file));
    }

    private async Task<byte[]> PictureOfAsync(Recipe recipe)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/generate")
        {
            Content = new StringContent(recipe.ToJson(), Encoding.UTF8, "application/json")
        };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("image/jpeg"));
        using var answer = await studio.Client.SendAsync(request);
        return await answer.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync();
    }
}
