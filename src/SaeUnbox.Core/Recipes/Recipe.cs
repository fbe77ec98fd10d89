using System.Security.Cryptography;

namespace SaeUnbox.Core;

/// <summary>
/// Everything that determines an image: the same recipe gives the same pixels. Share links, saved PNGs, requests, recipe files and
/// messages to workers all hold it in the same canonical JSON. A recipe in memory may hold invalid values, which
/// <see cref="Validate"/> reports; a recipe that is read or written is always valid.
/// </summary>
[JsonConverter(typeof(RecipeConverter))]
public sealed record Recipe
{
    /// <summary>Newest version of the JSON format. What needs no field of a newer version is still written as version 1.</summary>
    public const int Version = 2;

    /// <summary>Keyword of the PNG text chunk that holds the JSON.</summary>
    public const string PngKeyword = "saeunbox.recipe";

    /// <summary>Name of the model in the catalogue, never a path.</summary>
    public required string Model { get; init; }

    /// <summary>Name of the set of autoencoders that the feature numbers refer to; null or "default" for the model's own.</summary>
    public string? Saes { get; init; }

    /// <summary>The LoRAs that are merged into the model; empty for whatever it is loaded with.</summary>
    public ValueList<RecipeLora> Loras { get; init; } = [];

    public required string Prompt { get; init; }

    /// <summary>What guidance steers away from. Null means none, which some models encode as zeros; "" is encoded as text.</summary>
    public string? NegativePrompt { get; init; }

    /// <summary>Seed of the noise, 0 to 2^63 - 1.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Denoising steps.</summary>
    public int Steps { get; init; } = 1;

    /// <summary>Scale of classifier-free guidance; 1 or less turns it off.</summary>
    public double Guidance { get; init; }

    /// <summary>Width in pixels, a multiple of 8.</summary>
    public int Width { get; init; } = 512;

    /// <summary>Height in pixels, a multiple of 8.</summary>
    public int Height { get; init; } = 512;

    /// <summary>Number format of the run, including the noise; null for the model's default.</summary>
    public Dtype? Dtype { get; init; }

    /// <summary>Null for the model's default decoder.</summary>
    public Vae? Vae { get; init; }

    /// <summary>Painted features, applied in this order.</summary>
    public ValueList<FeatureEdit> Edits { get; init; } = [];

    /// <summary>What edits do where they overlap.</summary>
    public Overlap Overlap { get; init; }

    /// <summary>Whole-site interventions, at most one per site. They are applied before the edits.</summary>
    public ValueList<SiteIntervention> Interventions { get; init; } = [];

    /// <summary>SHA-256 of the canonical JSON, 64 hexadecimal digits.</summary>
    /// <exception cref="RecipeException">The recipe is invalid.</exception>
    public string ContentHash() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ToJson())));

    /// <summary>Lists all errors by field; empty for a valid recipe.</summary>
    public IReadOnlyList<RecipeError> Validate() => RecipeChecker.Check(this);

    /// <exception cref="RecipeException">The recipe is invalid; the message names every invalid field.</exception>
    public CheckedRecipe Check() => CheckedRecipe.Of(this);

    /// <summary>
    /// The canonical JSON: equal recipes give the same text. Optional fields are written only if they differ from their default.
    /// </summary>
    /// <exception cref="RecipeException">The recipe is invalid.</exception>
    public string ToJson() => Check().ToJson();

    /// <summary>The compact form for a link's fragment: the deflated JSON in base64url.</summary>
    /// <exception cref="RecipeException">The recipe is invalid, or too large for a link.</exception>
    public string ToLink() => RecipeLink.Encode(this);

    /// <summary>Reads a recipe.</summary>
    /// <param name="json">At most <see cref="RecipeLimits.MaxJsonLength"/> characters.</param>
    /// <param name="defaults">Supplies required fields that the JSON lacks; null if the JSON must hold them.</param>
    /// <exception cref="RecipeException">The recipe is invalid; the message names all unknown, missing and invalid fields.</exception>
    public static Recipe FromJson(string json, Recipe? defaults = null)
    {
        var (recipe, dropped) = RecipeReader.Read(json, defaults);
        return dropped.Count == 0 ? recipe : throw new RecipeException(dropped);
    }

    /// <summary>Reads the valid parts of a recipe, takes the rest from <paramref name="defaults"/>, and reports what was dropped.</summary>
    /// <exception cref="RecipeException">The text is not a JSON object.</exception>
    public static RestoredRecipe RestoreJson(string json, Recipe defaults) => RecipeReader.Read(json, defaults.Check().Recipe);

    /// <summary>Reads the compact form of <see cref="ToLink"/> as <see cref="RestoreJson"/> does.</summary>
    /// <exception cref="RecipeException">The text cannot be unpacked, or is not a JSON object.</exception>
    public static RestoredRecipe RestoreLink(string link, Recipe defaults) => RestoreJson(RecipeLink.Inflate(link), defaults);
}

/// <summary>A recipe that may have been read only in part.</summary>
/// <param name="Recipe">Always valid.</param>
/// <param name="Dropped">The invalid parts and why they were dropped.</param>
public sealed record RestoredRecipe(Recipe Recipe, IReadOnlyList<RecipeError> Dropped);

/// <summary>Number formats for running a model.</summary>
public enum Dtype
{
    Fp32,
    Bf16,
    Fp16,

    /// <summary>Matrices of weights, and the rows that they multiply, in int8; the rest in bf16 or fp32.</summary>
    Int8,
}

public enum Vae
{
    /// <summary>The full autoencoder (AutoencoderKL).</summary>
    Kl,

    /// <summary>The small, fast autoencoder (AutoencoderTiny).</summary>
    Tiny,
}

/// <summary>Limits of a recipe's fields.</summary>
public static class RecipeLimits
{
    public const int MaxNameLength = 100;
    public const int MaxPromptLength = 10_000;
    public const int MaxSteps = 1000;
    public const double MaxGuidance = 100;

    /// <summary>Width and height are multiples of this, because one latent covers 8 x 8 pixels.</summary>
    public const int SideMultiple = 8;
    public const int MaxSide = 4096;
    public const double MinStrength = -40;
    public const double MaxStrength = 40;
    public const int MaxEdits = 64;

    /// <summary>Most features in all edits together.</summary>
    public const int MaxFeatures = 4096;

    /// <summary>Largest <see cref="FeatureEdit.Threshold"/>.</summary>
    public const double MaxThreshold = 10_000;

    /// <summary>Largest <see cref="FeatureEdit.Grow"/>, in cells.</summary>
    public const int MaxGrow = 64;

    public const int MaxLoras = 16;

    /// <summary>Most cells in all masks together.</summary>
    public const int MaxMaskCells = 1 << 18;

    /// <summary>Longest JSON of a recipe in characters; also the limit for an inflated link in bytes.</summary>
    public const int MaxJsonLength = 1 << 21;

    /// <summary>Longest JSON of a recipe in UTF-8, with room for what a message puts around it.</summary>
    public const int MaxJsonBytes = MaxJsonLength + (64 << 10);

    /// <summary>Longest link form in characters.</summary>
    public const int MaxLinkLength = 1 << 17;
}

/// <summary>An error in one field of a recipe.</summary>
/// <param name="Field">Path in the JSON, such as <c>edits[2].strength</c>.</param>
/// <param name="Message">What is wrong and what is allowed.</param>
public sealed record RecipeError(string Field, string Message)
{
    public override string ToString() => $"{Field}: {Message}";
}

/// <summary>A recipe or a part of it is invalid. The message names every invalid field.</summary>
public sealed class RecipeException : Exception
{
    public RecipeException(IReadOnlyList<RecipeError> errors, Exception? inner = null)
        : base(string.Join("; ", errors), inner) => Errors = errors;

    public RecipeException(string field, string message, Exception? inner = null)
        : this([new RecipeError(field, message)], inner)
    {
    }

    public IReadOnlyList<RecipeError> Errors { get; }

    /// <param name="length">How long the recipe is, such as "4000000 characters".</param>
    public static RecipeException TooLong(string length) =>
        new("recipe", $"is {length} long; at most {RecipeLimits.MaxJsonLength} characters are allowed");
}

/// <summary>A LoRA that is merged into the model of a recipe.</summary>
/// <param name="Name">The name of its file without the ending, for people to read.</param>
/// <param name="Scale">The factor of what it adds; finite.</param>
/// <param name="Fingerprint">A hash that identifies the file: 16 hexadecimal digits.</param>
public sealed record RecipeLora(string Name, double Scale, string Fingerprint)
{
    internal const int FingerprintLength = 16;

    /// <summary>Whether two lists give the same weights. Files are compared by their fingerprints, because a file may be renamed.</summary>
    public static bool AreSame(IReadOnlyList<RecipeLora> some, IReadOnlyList<RecipeLora> others) =>
        some.Select(lora => (lora.Fingerprint, lora.Scale)).SequenceEqual(others.Select(lora => (lora.Fingerprint, lora.Scale)));

    /// <summary>Describes a list in a sentence, such as "the LoRA style:0.8 (0123456789abcdef)" or "no LoRA".</summary>
    public static string Describe(IReadOnlyList<RecipeLora> loras) => loras.Count == 0
        ? "no LoRA"
        : $"the LoRA{(loras.Count > 1 ? "s" : "")} {string.Join(", ", loras.Select(lora => $"{lora} ({lora.Fingerprint})"))}";

    /// <summary>Name and scale, as the option --lora has them.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Name}:{Scale}");
}

/// <summary>Quotes untrusted text for an error message: shortened, on one line, without control characters.</summary>
internal static class UntrustedText
{
    private const int MaxLength = 40;

    public static string Quote(string text)
    {
        var kept = text.Length <= MaxLength ? text : text[..MaxLength] + "…";
        return "'" + string.Concat(kept.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)) + "'";
    }
}
