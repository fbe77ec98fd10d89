using System.Buffers.Text;
using System.IO.Compression;

namespace SaeUnbox.Core;

/// <summary>
/// Reads a recipe field by field and collects errors. Strict reading fails on any error; restoring an old link keeps the valid
/// parts.
/// </summary>
internal static class RecipeReader
{
    private const string Whole = "recipe";

    private static readonly Recipe Fallback = new() { Model = "none", Prompt = "" };

    /// <param name="defaults">Replaces missing and invalid fields; null if required fields must be present.</param>
    public static RestoredRecipe Read(string json, Recipe? defaults)
    {
        if (json.Length > RecipeLimits.MaxJsonLength)
            throw RecipeException.TooLong($"{json.Length} characters");
        using var document = StrictJson.Parse(json, Whole);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw new RecipeException(Whole, "is not a JSON object");
        try
        {
            return Read(document.RootElement, defaults ?? Fallback, required: defaults is null);
        }
        catch (InvalidOperationException error)
        {
            throw new RecipeException(Whole, "has a field whose name contains an unpaired surrogate", error);
        }
    }

    private static RestoredRecipe Read(JsonElement root, Recipe defaults, bool required)
    {
        var errors = new List<RecipeError>();
        var fields = new FieldReader(root, "", errors);
        T Base<T>(string name, FieldConverter<T> convert, T fallback, Func<T, string?> rule) =>
            required ? fields.Required(name, convert, fallback, rule) : fields.Optional(name, convert, fallback, rule);

        Base("version", Fields.Whole, Recipe.Version, Version);
        var recipe = new Recipe
        {
            Model = Base("model", Fields.Text, defaults.Model, RecipeRules.Name),
            Saes = fields.Optional<string?>("saes", Fields.OptionalText, null, RecipeRules.Name!),
            Prompt = Base("prompt", Fields.Text, defaults.Prompt, RecipeRules.Prompt),
            NegativePrompt = fields.Optional<string?>("negativePrompt", Fields.OptionalText, null, RecipeRules.Prompt!),
            Seed = Base("seed", Fields.LongWhole, defaults.Seed, RecipeRules.Seed),
            Steps = Base("steps", Fields.Whole, defaults.Steps, RecipeRules.Steps),
            Guidance = Base("guidance", Fields.Number, defaults.Guidance, RecipeRules.Guidance),
            Width = Base("width", Fields.Whole, defaults.Width, RecipeRules.Side),
            Height = Base("height", Fields.Whole, defaults.Height, RecipeRules.Side),
            Dtype = fields.Optional<Dtype?>("dtype", Fields.OptionalWord, null),
            Vae = fields.Optional<Vae?>("vae", Fields.OptionalWord, null),
            Overlap = fields.Optional<Overlap?>("overlap", Fields.OptionalWord, null) ?? Overlap.Sum,
        };
        var checker = new RecipeChecker(recipe.Steps, errors);
        recipe = recipe with
        {
            Edits = Read(fields.List("edits"), errors, ReadEdit, checker.Accepts),
            Interventions = Read(fields.List("interventions"), errors, ReadIntervention, checker.Accepts),
            Loras = fields.Has("loras") ? Read(fields.List("loras"), errors, ReadLora, checker.Accepts) : defaults.Loras,
        };
        fields.Finish();
        return new(recipe, errors);
    }

    private static ValueList<T> Read<T>(
        IEnumerable<(JsonElement Element, string Path)> list,
        List<RecipeError> errors,
        Func<FieldReader, T> read,
        Func<T, string, bool> accepts)
    {
        var items = new List<T>();
        foreach (var (element, path) in list)
        {
            var before = errors.Count;
            var fields = new FieldReader(element, path, errors);
            var item = read(fields);
            fields.Finish();
            if (errors.Count == before && accepts(item, path))
                items.Add(item);
        }

        return items.ToValueList();
    }

    private static FeatureEdit ReadEdit(FieldReader fields) =>
        new(
            fields.Required("site", Fields.SiteCode, Site.Composition),
            fields.Required<int>("feature", Fields.Whole, 0),
            fields.Required<double>("strength", Fields.Number, 0))
        {
            Also = fields.Optional<ValueList<int>>("also", Fields.Wholes, []),
            Weights = fields.Optional<ValueList<double>>("weights", Fields.Numbers, []),
            Mode = fields.Optional("mode", Fields.Mode, EditMode.Default),
            Mask = fields.Optional<BrushMask?>("mask", Fields.Mask, null),
            Threshold = fields.Optional<double>("threshold", Fields.Number, 0),
            Grow = fields.Optional("grow", Fields.Whole, 0),
            FirstStep = fields.Optional("firstStep", Fields.Whole, 0),
            LastStep = fields.Optional<int?>("lastStep", Fields.OptionalWhole, null),
            Enabled = fields.Optional("enabled", Fields.Flag, true),
            Name = fields.Optional<string?>("name", Fields.OptionalText, null),
        };

    private static RecipeLora ReadLora(FieldReader fields) => new(
        fields.Required("name", Fields.Text, ""), fields.Required<double>("scale", Fields.Number, 0),
        fields.Required("fingerprint", Fields.Text, ""));

    private static SiteIntervention ReadIntervention(FieldReader fields)
    {
        var kind = fields.Required("kind", Fields.Text, Names.Ablate, Kind);
        var site = fields.Required("site", Fields.SiteCode, Site.Composition);
        return kind switch
        {
            Names.Reconstruct => new SiteIntervention.Reconstruct(site),
            Names.Ablate => new SiteIntervention.Ablate(site),
            _ => new SiteIntervention.Icon(site, fields.Required("feature", Fields.Whole, 0)),
        };
    }

    private static string? Kind(string value) => value is Names.Reconstruct or Names.Ablate or Names.Icon
        ? null
        : $"is {UntrustedText.Quote(value)}; write one of {Names.Reconstruct}, {Names.Ablate}, {Names.Icon}";

    private static string? Version(int value) => value is >= 1 and <= Recipe.Version
        ? null
        : $"is {value}; this program reads versions 1 to {Recipe.Version}";
}

/// <summary>
/// Writes the canonical JSON: fields in a fixed order, no whitespace, and the shortest numbers that round-trip. It does not use a
/// serializer, so that the text and its hash do not depend on a serializer's escaping rules.
/// </summary>
internal static class RecipeWriter
{
    public static string Write(Recipe recipe)
    {
        var json = new StringBuilder("{\"version\":").Append(VersionOf(recipe));
        json.Text("model", recipe.Model).Text("saes", recipe.Saes).Array("loras", recipe.Loras, Lora)
            .Text("prompt", recipe.Prompt).Text("negativePrompt", recipe.NegativePrompt)
            .Number("seed", recipe.Seed).Number("steps", recipe.Steps).Number("guidance", recipe.Guidance)
            .Number("width", recipe.Width).Number("height", recipe.Height)
            .Text("dtype", Names.Of(recipe.Dtype)).Text("vae", Names.Of(recipe.Vae));
        if (recipe.Overlap != Overlap.Sum)
            json.Text("overlap", Names.Of(recipe.Overlap));
        json.Array("edits", recipe.Edits, Edit).Array("interventions", recipe.Interventions, Intervention);
        return json.Append('}').ToString();
    }

    private static void Edit(StringBuilder json, FeatureEdit edit)
    {
        json.Text("site", edit.Site.Code).Number("feature", edit.Feature);
        if (edit.Also.Count > 0)
            json.Name("also").Append('[').AppendJoin(',', edit.Also).Append(']');
        if (edit.Weights.Count > 0)
            json.Name("weights").Append('[').AppendJoin(',', edit.Weights.Select(Text)).Append(']');
        json.Text("mode", edit.Mode.Name).Number("strength", edit.Strength).Text("mask", edit.Mask?.ToString());
        if (edit.Threshold != 0)
            json.Number("threshold", edit.Threshold);
        if (edit.Grow != 0)
            json.Number("grow", edit.Grow);
        if (edit.FirstStep != 0)
            json.Number("firstStep", edit.FirstStep);
        if (edit.LastStep is { } last)
            json.Number("lastStep", last);
        if (!edit.Enabled)
            json.Name("enabled").Append("false");
        json.Text("name", edit.Name);
    }

    // Older programs read what they can, and links and hashes of older recipes stay as they are.
    private static int VersionOf(Recipe recipe) =>
        recipe.Overlap != Overlap.Sum || recipe.Edits.Any(edit => edit.Name is not null || edit.Weights.Count > 0) ? 2 : 1;

    private static void Lora(StringBuilder json, RecipeLora lora) =>
        json.Text("name", lora.Name).Number("scale", lora.Scale).Text("fingerprint", lora.Fingerprint);

    private static void Intervention(StringBuilder json, SiteIntervention intervention)
    {
        json.Text("kind", Names.Of(intervention)).Text("site", intervention.Site.Code);
        if (intervention is SiteIntervention.Icon icon)
            json.Number("feature", icon.Feature);
    }

    private static StringBuilder Array<T>(this StringBuilder json, string name, ValueList<T> items, Action<StringBuilder, T> write)
    {
        if (items.Count == 0)
            return json;
        json.Name(name).Append('[');
        for (var i = 0; i < items.Count; i++)
        {
            json.Append(i == 0 ? "{" : ",{");
            write(json, items[i]);
            json.Append('}');
        }

        return json.Append(']');
    }

    private static StringBuilder Name(this StringBuilder json, string name) =>
        (json[^1] == '{' ? json : json.Append(',')).Append('"').Append(name).Append("\":");

    private static StringBuilder Number(this StringBuilder json, string name, long value) =>
        json.Name(name).Append(value.ToString(CultureInfo.InvariantCulture));

    private static StringBuilder Number(this StringBuilder json, string name, double value) => json.Name(name).Append(Text(value));

    // Adding 0.0 turns negative zero into zero.
    private static string Text(double value) => (value + 0.0).ToString("R", CultureInfo.InvariantCulture);

    private static StringBuilder Text(this StringBuilder json, string name, string? value)
    {
        if (value is null)
            return json;
        json.Name(name).Append('"');
        foreach (var c in value)
        {
            if (c is '"' or '\\')
                json.Append('\\').Append(c);
            else if (c < ' ')
                json.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
            else
                json.Append(c);
        }

        return json.Append('"');
    }
}

/// <summary>Writes a recipe inside other JSON in its canonical form.</summary>
internal sealed class RecipeConverter : JsonConverter<Recipe>
{
    public override Recipe Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        try
        {
            using var document = JsonDocument.ParseValue(ref reader);
            return Recipe.FromJson(document.RootElement.GetRawText());
        }
        catch (RecipeException error)
        {
            throw new JsonException(error.Message, error);
        }
    }

    public override void Write(Utf8JsonWriter writer, Recipe value, JsonSerializerOptions options) =>
        writer.WriteRawValue(value.ToJson());
}

/// <summary>The link form: the UTF-8 JSON, compressed with raw deflate, in base64url.</summary>
internal static class RecipeLink
{
    private const string Field = "link";

    public static string Encode(Recipe recipe)
    {
        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
            deflate.Write(Encoding.UTF8.GetBytes(recipe.ToJson()));
        var link = Base64Url.EncodeToString(packed.GetBuffer().AsSpan(0, (int)packed.Length));
        return link.Length <= RecipeLimits.MaxLinkLength
            ? link
            : throw new RecipeException(Field,
                $"the recipe is too large for a link: {link.Length} characters, {RecipeLimits.MaxLinkLength} are allowed; share a short "
                + "link instead");
    }

    public static string Inflate(string link)
    {
        if (link.Length > RecipeLimits.MaxLinkLength)
            throw new RecipeException(Field, $"is {link.Length} characters long; {RecipeLimits.MaxLinkLength} are allowed");
        if (!Base64Url.IsValid(link))
            throw new RecipeException(Field, "is not base64url; part of the address may be missing");
        using var deflate = new DeflateStream(new MemoryStream(Base64Url.DecodeFromChars(link)), CompressionMode.Decompress);
        try
        {
            var json = new byte[RecipeLimits.MaxJsonLength];
            var length = deflate.ReadAtLeast(json, json.Length, throwOnEndOfStream: false);
            if (length == json.Length && deflate.ReadByte() >= 0)
                throw RecipeException.TooLong($"more than {RecipeLimits.MaxJsonLength} bytes");
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(json, 0, length);
        }
        catch (Exception error) when (error is InvalidDataException or DecoderFallbackException)
        {
            throw new RecipeException(Field, "cannot be unpacked; part of the address may be missing", error);
        }
    }
}
