using System.Text.RegularExpressions;

namespace SaeUnbox.Cli.Options;

/// <summary>An edit as written on the command line (see <see cref="Form"/>).</summary>
/// <param name="Edit">The edit, still without its mask, and without site and features if it names a concept.</param>
/// <param name="Mask">The mask as it was written; null for everywhere.</param>
internal sealed partial record EditArgument(FeatureEdit Edit, string? Mask)
{
    private const string ConceptWord = "concept";

    /// <summary>The concept whose features are edited; null if the edit names them.</summary>
    public ConceptReference? Concept { get; init; }

    /// <summary>What is edited and how, without mask and steps: <c>SITE:FEATURE+FEATURE:STRENGTH:MODE</c>, or a concept instead.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture,
        $"{Concept?.ToString() ?? $"{Edit.Site}:{string.Join('+', Edit.Features)}"}:{Edit.Strength}:{Edit.Mode}");

    /// <summary>How to write an edit, for help and messages. LAST is exclusive.</summary>
    public static readonly string Form =
        $"SITE:FEATURE[*WEIGHT][+FEATURE[*WEIGHT]]:STRENGTH[:{EditMode.Names("|")}[:THRESHOLD[:GROW]]][@MASK][#FIRST-LAST]";

    /// <exception cref="CliException">The text is not an edit; the message says which part is wrong.</exception>
    public static EditArgument Parse(string text)
    {
        var rest = text;
        (int First, int? Last) steps = (0, null);
        if (Steps().Match(rest) is { Success: true } match && !IsPartOfAFileName(text, match))
        {
            steps = (Number(text, "first step", match.Groups[1].Value), Number(text, "last step", match.Groups[2].Value));
            rest = rest[..match.Index];
        }
        string? mask = null;
        if (rest.IndexOf('@') is >= 0 and var at)
        {
            mask = rest[(at + 1)..];
            rest = rest[..at];
            if (mask.Length == 0)
                throw Wrong(text, "a mask must follow @: a PNG file, a JSON file, or a JSON array of rows");
        }
        if (rest.Contains('#'))
            throw Wrong(text, "two steps must follow #, such as #0-2");
        var parts = rest.Split(':');
        if (parts.Length is < 3 or > 6)
            throw Wrong(text, $"write {Form}, such as down.2.1:89:10");
        var concept = parts[0] == ConceptWord ? ConceptReference.Parse(parts[1]) ?? throw Wrong(text,
            $"'{Line.Quote(parts[1])}' is not a concept; write {ConceptWord}:NAME:STRENGTH or {ConceptWord}:NAME/SITE:STRENGTH") : null;
        var site = Site.Composition;
        if (concept is null && !Site.TryParse(parts[0], out site))
            throw Wrong(text, $"'{Line.Quote(parts[0])}' is not a site; use a code such as down.2.1, mid.0, up.0.0 or up.0.1");
        WeightedFeature[] features = concept is not null
            ? [new(0, 1)]
            : [.. parts[1].Split('+').Select(feature => Weighted(text, feature))];
        var mode = EditMode.Default;
        if (parts.Length > 3 && !EditMode.TryParse(parts[3], out mode))
            throw Wrong(text, $"the mode '{Line.Quote(parts[3])}' is not one of {EditMode.Names(", ")}");
        return new EditArgument(
            new FeatureEdit(site!, features[0].Feature, Real(text, "strength", parts[2]))
            {
                Also = [.. features[1..].Select(one => one.Feature)],
                Weights = [.. features.All(one => one.Weight == 1) ? [] : features.Select(one => one.Weight)],
                Mode = mode,
                Threshold = parts.Length > 4 ? Real(text, "threshold", parts[4]) : 0,
                Grow = parts.Length > 5 ? Number(text, "growth", parts[5]) : 0,
                FirstStep = steps.First,
                LastStep = steps.Last,
            },
            mask)
        {
            Concept = concept,
        };
    }

    // FEATURE or FEATURE*WEIGHT.
    private static WeightedFeature Weighted(string text, string part) => part.Split('*', 2) is [var feature, var weight]
        ? new(Number(text, "feature", feature), Real(text, "weight", weight))
        : new(Number(text, "feature", part), 1);

    // A file name may contain #. Only whole numbers after it make it a range of steps.
    private static bool IsPartOfAFileName(string text, Match steps) =>
        text.IndexOf('@') is >= 0 and var at && at < steps.Index
        && !steps.Groups.Values.Skip(1).All(step => step.Length > 0 && step.Value.All(char.IsAsciiDigit));

    private static int Number(string text, string what, string digits) =>
        PlainNumber.TryWhole(digits, out int number) && number >= 0
            ? number
            : throw Wrong(text, $"the {what} '{Line.Quote(digits)}' is not a whole number from 0 to {int.MaxValue}");

    private static double Real(string text, string what, string digits) =>
        PlainNumber.TryReal(digits, out var number)
            ? number
            : throw Wrong(text, $"the {what} '{Line.Quote(digits)}' is not a finite number");

    private static CliException Wrong(string text, string why) => new($"--edit {Line.Quote(text)}: {why}.");

    [GeneratedRegex(@"#([^#\-]*)-([^#\-]*)$", RegexOptions.CultureInvariant)]
    private static partial Regex Steps();
}

/// <summary>A concept as an edit names it: <c>NAME</c>, or <c>NAME/SITE</c> for one of its sites.</summary>
/// <param name="Site">Null for all sites of the concept.</param>
internal sealed record ConceptReference(string Name, Site? Site)
{
    /// <returns>Null if the text names no concept.</returns>
    public static ConceptReference? Parse(string text) => text.Split('/') switch
    {
        [var name] when Core.Concept.IsName(name) => new(name, null),
        [var name, var code] when Core.Concept.IsName(name) && Core.Site.TryParse(code, out var site) => new(name, site),
        _ => null,
    };

    public override string ToString() => Site is null ? $"concept:{Name}" : $"concept:{Name}/{Site}";

    /// <summary>One edit for each of the concept's sites.</summary>
    /// <param name="known">The concepts of the atlas.</param>
    /// <param name="edit">Gives everything but site and features.</param>
    /// <param name="model">The model; sites without an autoencoder in it are an error.</param>
    /// <exception cref="CliException">There is no such concept, or it does not fit the model.</exception>
    public IReadOnlyList<FeatureEdit> Edits(IReadOnlyList<Concept> known, FeatureEdit edit, ModelInfo model)
    {
        if (known.FirstOrDefault(one => one.Name == Name) is not { } concept)
            throw new CliException($"there is no concept '{Line.Quote(Name)}'; "
                + (known.Count > 0 ? $"the atlas has {string.Join(", ", known.Select(one => one.Name))}." : "saeunbox concept makes one."));
        var edits = concept.Edits(edit, Site);
        if (edits.Count == 0)
            throw new CliException(
                $"the concept '{Name}' has no features at {Site}, only at {string.Join(", ", concept.Sites.Select(one => one.Site))}.");
        return edits.FirstOrDefault(one => model.Find(one.Site) is null) is { } other
            ? throw new CliException($"the concept '{Name}' has features at {other.Site}, for which there is no sparse autoencoder.")
            : edits;
    }
}
