using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace SaeUnbox.Web.Tests;

[Collection(nameof(Studio))]
public sealed class ApiTests(Studio studio)
{
    [Theory]
    [InlineData("#62", 4)]
    [InlineData("down.2.1 62", 1)]
    [InlineData("down.2.1 #62", 1)]
    [InlineData("down.2.1", 512)]
    public async Task Search_InThePagesOwnNotation_FindsTheFeature(string text, int count)
    {
        var found = await studio.Client.GetStringAsync(
            $"/api/v1/models/default/features?dead=true&text={Uri.EscapeDataString(text)}", TestContext.Current.CancellationToken);

        Assert.StartsWith($"{{\"total\":{count},", found);
    }

    [Fact]
    public async Task Generate_SameRecipeTwice_GivesTheSameBytesWithTheRecipeInside()
    {
        var first = await BytesAsync(await PostAsync("generate", """{"prompt":"a pine tree on snow","seed":7}"""));
        var second = await BytesAsync(await PostAsync("generate", """{"prompt":"a pine tree on snow","seed":7}"""));

        Assert.Equal(first, second);
        var recipe = Recipe.FromJson(Png.FindText(first, Recipe.PngKeyword)!);
        Assert.Equal(("a pine tree on snow", 7), (recipe.Prompt, recipe.Seed));
        Assert.Equal(recipe.Width, Picture.Decode(first).Width);
    }

    [Theory]
    [InlineData("image/jpeg", "image/jpeg")]
    [InlineData("image/png;q=0.5, image/jpeg", "image/jpeg")]
    [InlineData("image/webp, image/jpeg;q=0.8", "image/webp")]
    [InlineData("image/avif,image/webp,image/*;q=0.8", "image/webp")]
    [InlineData("*/*", "image/png")]
    public async Task Generate_ByAccept_GivesThatFormat(string accept, string type)
    {
        var answer = await PostAsync("generate", """{"prompt":"a boat at sea"}""", accept);

        Assert.Equal(type, answer.Content.Headers.ContentType!.MediaType);
        var bytes = await BytesAsync(answer);
        Assert.Equal(type == "image/jpeg", Jpeg.IsJpeg(bytes));
        Assert.Equal(type == "image/webp", bytes.AsSpan(0, 4).SequenceEqual("RIFF"u8) && bytes.AsSpan(8, 4).SequenceEqual("WEBP"u8));
    }

    [Fact]
    public async Task Generate_WrongFields_NamesEach()
    {
        var answer = await PostAsync("generate", """{"prompt":"a","seed":-1,"edits":[{"site":"down.2.1","feature":0,"strength":99}]}""");

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
        var problem = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("errors");
        Assert.Equal(["edits[0].strength", "seed"], problem.EnumerateObject().Select(error => error.Name).Order());
    }

    [Theory]
    [InlineData("""{"prompt":"a","model":"elsewhere"}""", "elsewhere")]
    [InlineData("not json", "JSON")]
    [InlineData("""{"prompt":"a","edits":[{"site":"down.2.1","feature":999999,"strength":1}]}""", "999999")]
    public async Task Generate_InvalidRequest_SaysWhy(string body, string word)
    {
        var answer = await PostAsync("generate", body);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains(word, (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("detail").GetString());
    }

    [Fact]
    public async Task Generate_PromptTooLong_IsRefused()
    {
        var answer = await PostAsync("generate", $$"""{"prompt":"{{new string('a', 5000)}}"}""");

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task Explore_Recipe_GivesTheCellsOfEverySite()
    {
        var answer = await (await PostAsync("explore", """{"prompt":"a house"}""")).Content.ReadFromJsonAsync<JsonElement>();

        var model = (await ModelAsync()).GetProperty("sites");
        Assert.Equal(model.EnumerateArray().Select(site => site.GetProperty("site").GetString()),
            answer.GetProperty("sites").EnumerateArray().Select(site => site.GetProperty("site").GetString()));
        foreach (var site in answer.GetProperty("sites").EnumerateArray())
            Assert.Equal(site.GetProperty("rows").GetInt32() * site.GetProperty("columns").GetInt32() * site.GetProperty("k").GetInt32(),
                site.GetProperty("indices").GetArrayLength());
    }

    [Fact]
    public async Task Explore_SafetensorsAccepted_GivesTheSameActivationsAsArrays()
    {
        const string body = """{"prompt":"a house","steps":2}""";
        var sites = (await (await PostAsync("explore", body)).Content.ReadFromJsonAsync<JsonElement>()).GetProperty("sites")
            .EnumerateArray().ToArray();

        var answer = await PostAsync("explore", body, ActivationMapFile.MediaType);

        Assert.Equal(ActivationMapFile.MediaType, answer.Content.Headers.ContentType!.MediaType);
        var file = await answer.Content.ReadAsByteArrayAsync();
        var data = sizeof(long) + (int)BitConverter.ToInt64(file);
        var header = JsonDocument.Parse(file.AsMemory(sizeof(long), data - sizeof(long))).RootElement;
        Assert.Equal(sites.Length, header.EnumerateObject().Count());
        foreach (var site in sites.GroupBy(site => site.GetProperty("site").GetString()))
        {
            int[] shape = [site.Count(), .. new[] { "rows", "columns", "k" }.Select(name => site.First().GetProperty(name).GetInt32())];
            Assert.Equal(2, shape[0]);
            Check("indices", "I32", value => BitConverter.GetBytes(value.GetInt32()));
            Check("values", "F32", value => BitConverter.GetBytes(value.GetSingle()));

            void Check(string name, string dtype, Func<JsonElement, byte[]> bytesOf)
            {
                var entry = header.GetProperty($"{site.Key}.{name}");
                Assert.Equal(dtype, entry.GetProperty("dtype").GetString());
                Assert.Equal(shape, entry.GetProperty("shape").EnumerateArray().Select(size => size.GetInt32()));
                var (from, to) = (entry.GetProperty("data_offsets")[0].GetInt32(), entry.GetProperty("data_offsets")[1].GetInt32());
                Assert.Equal(site.SelectMany(step => step.GetProperty(name).EnumerateArray()).SelectMany(bytesOf),
                    file[(data + from)..(data + to)]);
            }
        }
    }

    [Fact]
    public async Task Selection_OfARegion_GivesFeaturesThatAreStrongerInside()
    {
        var region = BrushMask.FromCells(1, 2, [1, 0]);
        var answer = await (await PostAsync("selection", $$"""{"recipe":{"prompt":"a house"},"region":"{{region}}","top":2}"""))
            .Content.ReadFromJsonAsync<JsonElement>();

        var sites = answer.GetProperty("sites").EnumerateArray().ToArray();
        Assert.NotEmpty(sites);
        foreach (var feature in sites.SelectMany(site => site.GetProperty("features").EnumerateArray()))
        {
            Assert.InRange(feature.GetProperty("score").GetDouble(), 1e-9, 1);
            Assert.InRange(feature.GetProperty("auc").GetDouble(), 0, 1);
        }
    }

    [Theory]
    [InlineData("""{"region":"1x2/1:AQEBAA"}""", "recipe")]
    [InlineData("""{"recipe":{"prompt":"a"}}""", "region")]
    [InlineData("""{"recipe":{"prompt":"a"},"region":"1x2/1:"}""", "selection")]
    [InlineData("""{"recipe":{"prompt":"a"},"region":[[1,0]],"top":0}""", "top")]
    [InlineData("[]", "selection")]
    public async Task Selection_InvalidRequest_NamesTheField(string body, string field)
    {
        var answer = await PostAsync("selection", body);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var errors = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("errors");
        Assert.Equal(field, Assert.Single(errors.EnumerateObject()).Name);
    }

    [Fact]
    public async Task Concepts_OfTheDefaultModel_AreAList() =>
        Assert.Equal(JsonValueKind.Array, (await studio.Client.GetFromJsonAsync<JsonElement>("/api/v1/models/default/concepts")).ValueKind);

    [Fact]
    public async Task Features_BySiteAndNumber_AreFound()
    {
        var name = (await ModelAsync()).GetProperty("name").GetString();
        var hits = await studio.Client.GetFromJsonAsync<JsonElement>(
            $"/api/v1/models/{name}/features?site=mid.0&sort=number&limit=5.0&offset=0e0&dead=true");
        Assert.Equal([0, 1, 2, 3, 4],
            hits.GetProperty("hits").EnumerateArray().Select(hit => hit.GetProperty("card").GetProperty("feature").GetInt32()));

        var one = await studio.Client.GetFromJsonAsync<JsonElement>($"/api/v1/models/{name}/features/mid.0/3");
        Assert.Equal("mid.0", one.GetProperty("card").GetProperty("site").GetString());
    }

    [Theory]
    [InlineData("/api/v1/models/elsewhere/features")]
    [InlineData("/api/v1/models/default/features/mid.0/9999999")]
    [InlineData("/api/v1/models/default/pictures/../../appsettings.json")]
    [InlineData("/api/v1/models/default/pictures/%2e%2e%2f%2e%2e%2fatlas.sqlite")]
    [InlineData("/api/v1/recipes/nothing")]
    [InlineData("/s/AAAAAAAAAAAAAAAAAAAAAA")]
    public async Task Get_UnknownAddress_IsNotFound(string address) =>
        Assert.Equal(HttpStatusCode.NotFound, (await studio.Client.GetAsync(address)).StatusCode);

    [Fact]
    public async Task Recipes_SavedAndFound_AreEqual()
    {
        var saved = await PostAsync("recipes", """{"prompt":"a cat <b>&\" on sand"}""");
        Assert.Equal(HttpStatusCode.Created, saved.StatusCode);
        var address = (await saved.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("address").GetString()!;

        var recipe = Recipe.FromJson(await studio.Client.GetStringAsync($"/api/v1/recipes/{address[3..]}"));
        Assert.Equal("a cat <b>&\" on sand", recipe.Prompt);

        // The page contains the prompt as escaped text, and a picture.
        var card = await studio.Client.GetStringAsync(address);
        Assert.Contains("og:image", card);
        Assert.Contains("a cat &lt;b&gt;&amp;&quot; on sand", card);
        Assert.Contains($"/#r={recipe.ToLink()}", card);
        Assert.True(Jpeg.IsJpeg(await studio.Client.GetByteArrayAsync($"{address}/card.jpg")));
    }

    [Fact]
    public async Task Recipes_SavedTwice_HaveOneId()
    {
        var first = await (await PostAsync("recipes", """{"prompt":"a tree"}""")).Content.ReadAsStringAsync();
        var second = await (await PostAsync("recipes", """{"prompt":"a tree"}""")).Content.ReadAsStringAsync();

        Assert.Equal(first, second);
    }

    [Fact]
    public async Task OpenApi_Document_ListsEveryEndpoint()
    {
        var document = await studio.Client.GetFromJsonAsync<JsonElement>("/openapi/v1.json");

        var paths = document.GetProperty("paths").EnumerateObject().Select(path => path.Name).ToArray();
        foreach (var path in new[]
        {
            "/api/v1/generate",
            "/api/v1/explore",
            "/api/v1/recipes",
            "/api/v1/models",
            "/api/v1/models/{model}/features"
        })
            Assert.Contains(path, paths);
    }

    [Fact]
    public async Task EveryPage_Headers_AreStrict()
    {
        foreach (var page in new[] { "/", "/explore", "/features", "/guide", "/nowhere" })
        {
            var answer = await studio.Client.GetAsync(page);
            var policy = answer.Headers.GetValues("Content-Security-Policy").Single();
            Assert.DoesNotContain("unsafe-eval", policy);
            Assert.Contains("script-src 'self';", policy);
            Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
            Assert.False(answer.Headers.Contains("Server"));
        }
    }

    [Theory]
    [InlineData("js/masks.js"), InlineData("api/v1/models/default/examples/1.jpg")]
    public async Task PartsOfAPage_Headers_CarryNoPolicyForDocuments(string part)
    {
        var answer = await studio.Client.GetAsync(part);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.False(answer.Headers.Contains("Content-Security-Policy"));
    }

    [Fact]
    public async Task Health_OfAReadyStudio_IsGood()
    {
        Assert.Equal("alive\n", await studio.Client.GetStringAsync("/healthz"));
        Assert.Equal("ready\n", await studio.Client.GetStringAsync("/readyz"));
    }

    [Fact]
    public async Task Logs_OfAJob_HaveTimingsButNoPrompt()
    {
        await PostAsync("generate", """{"prompt":"a secret garden of words"}""");

        Assert.Contains("unet=", studio.Output);
        Assert.DoesNotContain("secret garden", studio.Output);
    }

    private async Task<JsonElement> ModelAsync() => (await studio.Client.GetFromJsonAsync<JsonElement>("/api/v1/models"))[0];

    private async Task<HttpResponseMessage> PostAsync(string door, string body, string accept = "*/*")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/v1/{door}")
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json")
        };
        foreach (var type in accept.Split(','))
            request.Headers.Accept.Add(MediaTypeWithQualityHeaderValue.Parse(type));
        return await studio.Client.SendAsync(request);
    }

    private static async Task<byte[]> BytesAsync(HttpResponseMessage answer)
    {
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return await answer.Content.ReadAsByteArrayAsync();
    }
}
