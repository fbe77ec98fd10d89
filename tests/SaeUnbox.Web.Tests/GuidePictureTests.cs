using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace SaeUnbox.Web.Tests;

/// <summary>The guide's pictures. tests/guide-pictures.sh makes them again.</summary>
[Collection(nameof(Studio))]
public sealed class GuidePictureTests(Studio studio)
{
    private const int Grid = 16, Quality = 82;

    // Other processors round differently, and the files are JPEGs.
    private const double MostDifference = 6;

    [Fact]
    public async Task Pictures_OfTheGuide_AreWhatTheModelMakes()
    {
        foreach (var (name, picture) in await MakeAsync())
        {
            if (Environment.GetEnvironmentVariable("SAEUNBOX_GUIDE_PICTURES") is { } folder)
            {
                await File.WriteAllBytesAsync(Path.Combine(folder, $"{name}.jpg"), Jpeg.Encode(picture, Quality),
                    TestContext.Current.CancellationToken);
                continue;
            }
            var file = await studio.Client.GetByteArrayAsync($"/guide/{name}.jpg", TestContext.Current.CancellationToken);
            var (shown, made) = (Jpeg.Decode(file).ToRgb().Pixels.ToArray(), picture.ToRgb().Pixels.ToArray());

            Assert.InRange(file.Length, 1000, 30_000);
            Assert.InRange(shown.Zip(made, (one, other) => Math.Abs(one - other)).Average(), 0, MostDifference);
        }
    }

    private async Task<IReadOnlyList<(string Name, Picture Picture)>> MakeAsync()
    {
        var concepts = await studio.Client.GetFromJsonAsync<Concept[]>("/api/v1/models/default/concepts", JsonSerializerOptions.Web,
            TestContext.Current.CancellationToken);
        var plain = await PictureAsync(Studio.House);
        var house = Named("house");
        return
        [
            ("plain", plain),
            ("painted", await PictureAsync(With(Named("sunset").ToPaint(8), row => row < 8))),
            ("removed", await PictureAsync(With(house.ToRemove(), row => row > 8))),
            ("inside", await HeatAsync(plain, house.BestForRemoval!)),
        ];

        Concept Named(string name) => concepts!.Single(concept => concept.Name == name);
    }

    private static Recipe With(FeatureEdit edit, Func<int, bool> isRowIn) => Studio.House with
    {
        Edits = [edit with
        {
            Mask = BrushMask.FromCells(Grid, Grid, [.. Enumerable.Range(0, Grid * Grid).Select(cell => isRowIn(cell / Grid) ? 1f : 0)]),
        }],
    };

    private async Task<Picture> PictureAsync(Recipe recipe)
    {
        var answer = await PostAsync("generate", recipe);
        return Picture.Decode(await answer.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    private async Task<Picture> HeatAsync(Picture picture, ConceptSite site)
    {
        var reading = (await (await PostAsync("explore", Studio.House)).Content.ReadFromJsonAsync<JsonElement>(
            TestContext.Current.CancellationToken)).GetProperty("sites").EnumerateArray()
            .Single(one => one.GetProperty("site").GetString() == site.Site.Code);
        var indices = reading.GetProperty("indices").Deserialize<int[]>()!;
        var values = reading.GetProperty("values").Deserialize<float[]>()!;
        var (k, cells) = (reading.GetProperty("k").GetInt32(), new float[Grid * Grid]);
        foreach (var (i, feature) in indices.Index())
            if (feature == site.Features[0].Feature)
                cells[i / k] = values[i];
        return HeatmapOverlay.Draw(picture, cells, Grid, Grid);
    }

    private async Task<HttpResponseMessage> PostAsync(string address, Recipe recipe) =>
        (await studio.Client.PostAsync($"/api/v1/{address}",
            new StringContent(recipe.ToJson(), MediaTypeHeaderValue.Parse("application/json")), TestContext.Current.CancellationToken))
        .EnsureSuccessStatusCode();
}
