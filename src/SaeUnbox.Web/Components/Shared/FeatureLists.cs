using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using Microsoft.JSInterop;

namespace SaeUnbox.Web.Components.Shared;

/// <summary>A named list of features.</summary>
/// <param name="Name">See <see cref="IsName"/>.</param>
public sealed record FeatureList(string Name, ValueList<(Site Site, int Feature)> Features)
{
    public const int MaxNameLength = 60, MaxFeatures = 500;
    private const int MaxTextLength = 8000;
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Whether a text can name a list: 1 to 60 characters that print, no spaces at the ends.</summary>
    public static bool IsName([NotNullWhen(true)] string? text) =>
        text is { Length: > 0 and <= MaxNameLength } && text.Trim() == text && !text.Any(char.IsControl);

    /// <summary>Reads the form of <see cref="Text"/>. What it cannot read is left out.</summary>
    public static FeatureList Parse(string name, string text) => new(name,
    [
        .. from part in text[..Math.Min(text.Length, MaxTextLength)].Split('~').Select(part => part.Split('_'))
           where Site.TryParse(part[0], out _)
           from number in part.Skip(1)
               .Select(number => PlainNumber.TryWhole(number, out int feature) && feature >= 0 ? feature : (int?)null)
           where number is not null
           select (Site.Parse(part[0]), number.Value) into one
           group one by one into same
           select same.Key,
    ]);

    /// <summary>The features without a name, such as "down.2.1_62_63~mid.0_5".</summary>
    public string Text => string.Join('~', Features.GroupBy(one => one.Site).Select(site =>
        $"{site.Key}_{string.Join('_', site.Select(one => one.Feature.ToString(CultureInfo.InvariantCulture)))}"));

    /// <summary>With the feature if it lacks it, else without it.</summary>
    public FeatureList Toggle(FeatureCard card) => this with
    {
        Features = Features.Contains((card.Site, card.Feature))
            ? Features.Where(one => one != (card.Site, card.Feature)).ToValueList()
            : Features.Append((card.Site, card.Feature)).Take(MaxFeatures).ToValueList(),
    };

    /// <summary>Writes the list for programs, with what the atlas knows of its features.</summary>
    public string ToJson(string model, IFeatureAtlas atlas) => JsonSerializer.Serialize(new
    {
        name = Name,
        model,
        features = Cards(atlas).Select(card => new
        {
            site = card.Site.Code,
            feature = card.Feature,
            name = card.Name,
            words = card.Words,
            mean = card.Statistics.Mean,
            frequency = card.Statistics.Frequency,
        }),
    }, Indented);

    /// <summary>Writes the list for spreadsheets: a line of headings, then a line for each feature.</summary>
    public string ToCsv(IFeatureAtlas atlas) =>
        string.Concat(Cards(atlas).Select(Line).Prepend("site,feature,name,words,mean,frequency\r\n"));

    private static string Line(FeatureCard card)
    {
        var (name, words, statistics) = (Quoted(card.Name), Quoted(string.Join("; ", card.Words)), card.Statistics);
        return string.Create(CultureInfo.InvariantCulture,
            $"{card.Site},{card.Feature},{name},{words},{statistics.Mean},{statistics.Frequency}\r\n");
    }

    private IEnumerable<FeatureCard> Cards(IFeatureAtlas atlas) =>
        Features.Select(one => atlas.Find(one.Site, one.Feature)).OfType<FeatureCard>();

    // RFC 4180.
    private static string Quoted(string? text) => $"\"{text?.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}

/// <summary>The lists that the visitor's browser keeps. The favourites, which Paint shows as well, are the first.</summary>
public sealed class FeatureLists
{
    public const string Favourites = "favourites";
    public const int MaxLists = 50;
    private const string Key = "lists";
    private readonly List<FeatureList> _lists;

    private FeatureLists(IEnumerable<FeatureList> lists) => _lists = [.. lists];

    public static FeatureLists None { get; } = new([]);

    public IReadOnlyList<FeatureList> All => _lists;

    public FeatureList? Find(string? name) => _lists.Find(list => list.Name == name);

    public static async Task<FeatureLists> LoadAsync(IJSRuntime script) => Read(
        await script.InvokeAsync<string?>("saeunbox.recall", Favourites), await script.InvokeAsync<string?>("saeunbox.recall", Key));

    public async Task SaveAsync(IJSRuntime script)
    {
        var favourites = _lists[0].Features.Select(one => string.Create(CultureInfo.InvariantCulture, $"{one.Site}:{one.Feature}"));
        await script.InvokeVoidAsync("saeunbox.remember", Favourites, string.Join(' ', favourites));
        var others = _lists.Skip(1).Select(list => new Stored(list.Name, list.Text));
        await script.InvokeVoidAsync("saeunbox.remember", Key, JsonSerializer.Serialize(others));
    }

    /// <summary>
    /// Puts a list in the place of the one with this name, or at the end; null removes it. The favourites keep their name.
    /// </summary>
    public void Set(string name, FeatureList? list)
    {
        var place = _lists.FindIndex(one => one.Name == name);
        if (place < 0 && list is not null && _lists.Count < MaxLists)
            _lists.Add(list);
        else if (place == 0 && list is not null)
            _lists[0] = list with { Name = Favourites };
        else if (place > 0 && list is not null)
            _lists[place] = list;
        else if (place > 0)
            _lists.RemoveAt(place);
    }

    /// <summary>The name itself, or with a number if there is such a list already.</summary>
    public string FreeName(string name) => Find(name) is null ? name : Enumerable.Range(2, MaxLists)
        .Select(number =>
            $"{name[..Math.Min(name.Length, FeatureList.MaxNameLength - 4)].TrimEnd()} {number}").First(free => Find(free) is null);

    /// <param name="favourites">As Paint stores them: SITE:FEATURE, separated by spaces.</param>
    /// <param name="json">The other lists. What it cannot read is left out.</param>
    internal static FeatureLists Read(string? favourites, string? json)
    {
        var first = FeatureList.Parse(Favourites, (favourites ?? "").Replace(' ', '~').Replace(':', '_'));
        try
        {
            return new((JsonSerializer.Deserialize<Stored?[]>(json ?? "[]") ?? [])
                .Where(one => FeatureList.IsName(one?.Name)
                    && one.Features is not null
                    && one.Name != Favourites).DistinctBy(one => one!.Name)
                .Take(MaxLists - 1).Select(one => FeatureList.Parse(one!.Name, one.Features)).Prepend(first));
        }
        catch (JsonException)
        {
            return new([first]);
        }
    }

    private sealed record Stored(string Name, string Features);
}
