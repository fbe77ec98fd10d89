namespace SaeUnbox.Mini.Scenes;

/// <summary>
/// Writes captions: "[things] [ground] [time], [far], [sky], [style]", with several phrasings for each fact. Facts other than the defaults
/// (day, grass, hills, plain) are always named, default ones in half of the captions.
/// </summary>
public static class CaptionGrammar
{
    private static readonly (string One, string Many)[][] Things =
    [
        [("house", "houses"), ("cottage", "cottages")], [("pine tree", "pine trees"), ("pine", "pines")], [("tree", "trees")],
        [("palm tree", "palm trees"), ("palm", "palms")], [("flower", "flowers")], [("mushroom", "mushrooms")],
        [("boat", "boats"), ("sailboat", "sailboats")], [("snowman", "snowmen")], [("cat", "cats")], [("cactus", "cacti")],
    ];

    private static readonly string[][] Times =
    [
        ["by day", "on a sunny day", "in daylight"], ["at sunset", "in the evening"],
        ["at night", "under the moon", "under the stars"], ["at dawn", "in the morning"],
    ];

    private static readonly string[][] Grounds =
    [
        ["on grass", "in a meadow", "on a green field"], ["on sand", "in the desert", "on the beach"],
        ["on snow", "in winter", "in the snow"], ["at sea", "on water", "on the sea"],
    ];

    private static readonly string[][] Fars =
    [
        ["hills", "hills behind", "hills in the distance"], ["forest", "a forest behind", "forest in the distance"],
        ["mountains", "mountains behind", "mountains in the distance"], ["city", "a city behind", "city in the distance"],
    ];

    private static readonly string[][] Styles =
        [
            ["plain"],
            ["mosaic", "mosaic style", "as a mosaic"],
            ["stripes", "striped", "striped style"],
            ["sketch", "pencil sketch", "as a sketch"]
        ];

    private static readonly string[] ClearSky = ["clear sky", "a clear sky", "empty sky"];
    private static readonly string[] Clouds = ["clouds", "cloudy sky", "a cloudy sky"];
    private static readonly string[] Balloons = ["balloons", "hot air balloons"];
    private static readonly string[] Birds = ["birds", "birds in the sky"];

    /// <summary>All phrases of the grammar, for the vocabulary of a tokenizer.</summary>
    public static IEnumerable<string> Phrases =>
    [
        "a", "an", "and", ",", .. Things.SelectMany(forms => forms).SelectMany(form => new[] { form.One, form.Many }),
        .. new[] { Times, Grounds, Fars, Styles }.SelectMany(group => group).SelectMany(phrases => phrases),
        .. ClearSky, .. Clouds, .. Balloons, .. Birds, .. Enum.GetNames<ThingColor>().Select(name => name.ToLowerInvariant()),
    ];

    /// <summary>Whether a caption names the time, ground, far layer or style.</summary>
    /// <param name="group">"time", "ground", "far" or "style".</param>
    public static bool Names(string caption, string group)
    {
        var phrases = group switch
        {
            "time" => Times,
            "ground" => Grounds,
            "far" => Fars,
            "style" => Styles,
            _ => throw new ArgumentException($"there is no group {group}", nameof(group))
        };
        return phrases.SelectMany(forms => forms).Any(phrase => caption.Contains(phrase, StringComparison.Ordinal));
    }

    public static string Compose(SceneFacts facts, Random random)
    {
        var place = new List<string>();
        if (facts.Ground != SceneGround.Grass || Half())
            place.Add(Any(Grounds[(int)facts.Ground]));
        if (facts.Time != SceneTime.Day || Half())
            place.Add(Any(Times[(int)facts.Time]));
        if (random.NextDouble() < .3)
            place.Reverse();
        string[] things = facts.Things is { IsEmpty: false } named
            ? [string.Join(" and ", named.Select(thing => Phrase(thing, facts.Plural)))]
            : [];

        var backdrop = new List<string>();
        if (facts.Far != SceneFar.Hills || Half())
            backdrop.Add(Any(Fars[(int)facts.Far]));
        if (facts.SkyThings is { } sky)
            backdrop.Add(Sky(sky));
        if (random.NextDouble() < .4)
            backdrop.Reverse();

        var parts = new List<string> { string.Join(' ', things.Concat(place)) };
        parts.AddRange(backdrop);
        if (facts.Style != SceneStyle.Plain)
            parts.Add(Any(Styles[(int)facts.Style]));
        return string.Join(", ", parts.Where(part => part.Length > 0));

        bool Half() => random.NextDouble() < .5;

        string Any(string[] phrases) => phrases[random.Next(phrases.Length)];

        string Phrase(NamedThing thing, bool plural)
        {
            var forms = Things[(int)thing.Kind];
            var (one, many) = forms[random.NextDouble() < .7 ? 0 : random.Next(forms.Length)];
            return plural ? Colored(thing, many) : "a " + Colored(thing, one);
        }

        string Sky(IReadOnlyList<NamedThing> named) => named switch
        {
            [] => Any(ClearSky),
            [{ Kind: ThingKind.Cloud }, ..] => Any(Clouds),
            [{ Kind: ThingKind.Bird }, ..] => Any(Birds),
            [var balloon, ..] => Colored(balloon, Any(Balloons)),
        };
    }

    private static string Colored(NamedThing thing, string noun) =>
        thing.Color is { } color ? $"{Core.Names.Of(color)} {noun}" : noun;
}
