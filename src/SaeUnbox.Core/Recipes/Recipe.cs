using System.Security.Cryptography;
using System.Text.Json.Serialization;
using System.Text;

namespace SaeUnbox.Core;

/// <summary>
/// Everything that makes an image: the same recipe gives the same pixels. It is the share link, the text in a saved PNG, the
/// body of a request, the file of the command line and the message to a worker, always in one canonical JSON.
/// A recipe in the making may hold any values; <see cref="Validate"/> tells what is wrong with them, and what is written or
/// read is always valid.
/// </summary>
[JsonConverter(typeof(RecipeConverter))]
public sealed record Recipe
{
    /// <summary>Version of the JSON that is written and read.</summary>
    public const int Version = 1;

    /// <summary>Keyword of the PNG text chunk that carries the JSON.</summary>
    public const string PngKeyword = "saeunbox.recipe";

    /// <summary>Name of the model in the catalogue, never a path.</summary>
    public required string Model { get; init; }

    /// <summary>Name of the set of autoencoders the features are numbered in; null, or "default", for the model's own.</summary>
    public string? Saes { get; init; }

    public required string Prompt { get; init; }

    /// <summary>What to steer away from under guidance. Null means none, which some models encode as zeros; "" is encoded as text.</summary>
    public string? NegativePrompt { get; init; }

    /// <summary>Seed of the noise, 0 to 2^63 - 1.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Denoising steps.</summary>
    public int Steps { get; init; } = 1;

    /// <summary>Scale of classifier-free guidance; up to 1 there is none.</summary>
    public double Guidance { get; init; }

    /// <summary>Width in pixels, a multiple of 8.</summary>
    public int Width { get; init; } = 512;

    /// <summary>Height in pixels, a multiple of 8.</summary>
    public int Height { get; init; } = 512;

    /// <summary>Number format of the run, noise included; null for the one the model is served in.</summary>
    public Dtype? Dtype { get; init; }

    /// <summary>The decoder to use; null for the one the model is served with.</summary>
    public Vae? Vae { get; init; }

    /// <summary>Painted features, applied in this order.</summary>
    public ValueList<FeatureEdit> Edits { get; init; } = [];

    /// <summary>Whole-site interventions, at most one a site; they come before the edits.</summary>
    public ValueList<SiteIntervention> Interventions { get; init; } = [];

    /// <summary>SHA-256 of the canonical JSON, 64 hexadecimal digits.</summary>
    /// <exception cref="RecipeException">The recipe is not valid.</exception>
    public string ContentHash() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ToJson())));

    /// <summary>Everything that is wrong, field by field; empty for a valid recipe.</summary>
    public IReadOnlyList<RecipeError> Validate() => RecipeChecker.Check(this);

    /// <summary>This recipe, where it is valid.</summary>
    /// <exception cref="RecipeException">The recipe is not valid; every field at fault is named.</exception>
    public Recipe EnsureValid() => Validate() is { Count: > 0 } errors ? throw new RecipeException(errors) : this;

    /// <summary>The canonical JSON: equal recipes give the same text. Optional fields appear where they differ from their default.</summary>
    /// <exception cref="RecipeException">The recipe is not valid.</exception>
    public string ToJson() => RecipeWriter.Write(EnsureValid());

    /// <summary>The compact form for the fragment of a link: base64url of the deflated JSON.</summary>
    /// <exception cref="RecipeException">The recipe is not valid, or larger than a link may be.</exception>
    public string ToLink() => RecipeLink.Encode(this);

    /// <summary>Reads a recipe; unknown, missing and unusable fields are all named in one error.</summary>
    /// <param name="json">The JSON; at most <see cref="RecipeLimits.MaxJsonLength"/> characters.</param>
    /// <param name="defaults">Where given, required fields that the JSON lacks are taken from it: a request may say only what it cares about.</param>
    /// <exception cref="RecipeException">The text is not a valid recipe.</exception>
    public static Recipe FromJson(string json, Recipe? defaults = null)
    {
        var (recipe, dropped) = RecipeReader.Read(json, defaults);
        return dropped.Count == 0 ? recipe : throw new RecipeException(dropped);
    }

    /// <summary>Reads the compact form of <see cref="ToLink"/>.</summary>
    /// <exception cref="RecipeException">The text is not a valid recipe.</exception>
    public static Recipe FromLink(string link) => FromJson(RecipeLink.Inflate(link));

    /// <summary>Keeps of a recipe what can be kept, takes the rest from <paramref name="defaults"/> and says what was dropped.</summary>
    /// <exception cref="RecipeException">The text is not even JSON of an object.</exception>
    public static RestoredRecipe RestoreJson(string json, Recipe defaults) => RecipeReader.Read(json, defaults.EnsureValid());

    /// <summary>Keeps of a linked recipe what can be kept, see <see cref="RestoreJson"/>.</summary>
    /// <exception cref="RecipeException">The text cannot be unpacked at all.</exception>
    public static RestoredRecipe RestoreLink(string link, Recipe defaults) => RestoreJson(RecipeLink.Inflate(link), defaults);
}

/// <summary>A recipe as far as it could be read.</summary>
/// <param name="Recipe">A valid recipe.</param>
/// <param name="Dropped">What was left out, and why; empty where all was kept.</param>
public sealed record RestoredRecipe(Recipe Recipe, IReadOnlyList<RecipeError> Dropped);

/// <summary>Number formats a model runs in.</summary>
public enum Dtype
{
    Fp32,
    Bf16,
    Fp16,
}

/// <summary>The two kinds of decoder.</summary>
public enum Vae
{
    /// <summary>The full autoencoder (AutoencoderKL).</summary>
    Kl,

    /// <summary>The small, fast one (AutoencoderTiny).</summary>
    Tiny,
}

/// <summary>Bounds of a recipe's fields, for controls and messages.</summary>
public static class RecipeLimits
{
    public const int MaxNameLength = 100;
    public const int MaxPromptLength = 10_000;
    public const int MaxSteps = 1000;
    public const double MaxGuidance = 100;

    /// <summary>Width and height are multiples of this: one latent covers 8 x 8 pixels.</summary>
    public const int SideMultiple = 8;
    public const int MaxSide = 4096;
    public const double MinStrength = -40;
    public const double MaxStrength = 40;
    public const int MaxEdits = 64;

    /// <summary>Most cells of all masks together.</summary>
    public const int MaxMaskCells = 1 << 18;

    /// <summary>Longest JSON of a recipe, in characters; also the bound when a link is inflated, in bytes.</summary>
    public const int MaxJsonLength = 1 << 21;

    /// <summary>Longest link form, in characters.</summary>
    public const int MaxLinkLength = 1 << 17;
}

/// <summary>What is wrong with one field of a recipe.</summary>
/// <param name="Field">The field's path as in the JSON, such as <c>edits[2].strength</c>.</param>
/// <param name="Message">What is wrong and what is allowed.</param>
public sealed record RecipeError(string Field, string Message)
{
    public override string ToString() => $"{Field}: {Message}";
}

/// <summary>A recipe, or a part of one, that cannot be used; the message names every field at fault.</summary>
public sealed class RecipeException : Exception
{
    public RecipeException(IReadOnlyList<RecipeError> errors, Exception? inner = null)
        : base(string.Join("; ", errors), inner) => Errors = errors;

    public RecipeException(string field, string message, Exception? inner = null)
        : this([new RecipeError(field, message)], inner)
    {
    }

    public IReadOnlyList<RecipeError> Errors { get; }
}
