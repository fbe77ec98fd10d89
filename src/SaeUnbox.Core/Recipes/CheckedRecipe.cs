namespace SaeUnbox.Core;

/// <summary>
/// A valid recipe. The doors (hub, API, command line, broker) check what they are given and pass this on, so that nothing behind them
/// checks it again.
/// </summary>
public sealed class CheckedRecipe : IEquatable<CheckedRecipe>
{
    private string? _json;

    private CheckedRecipe(Recipe recipe) => Recipe = recipe;

    public Recipe Recipe { get; }

    /// <exception cref="RecipeException">The recipe is invalid; the message names every invalid field.</exception>
    public static CheckedRecipe Of(Recipe recipe) =>
        recipe.Validate() is { Count: > 0 } errors ? throw new RecipeException(errors) : new(recipe);

    /// <summary>Replaces the mask of one edit, and checks nothing but the mask.</summary>
    /// <param name="mask">Null for everywhere.</param>
    /// <param name="model">The recipe's model, which gives the size of the grid.</param>
    /// <exception cref="RecipeException">There is no such edit, or the mask does not fit.</exception>
    public CheckedRecipe WithMask(int edit, BrushMask? mask, ModelInfo model)
    {
        if (edit < 0 || edit >= Recipe.Edits.Count)
            throw new RecipeException("edit", $"is {edit}, but the recipe has {Recipe.Edits.Count} edits");
        var edits = new FeatureEdit[Recipe.Edits.Count];
        var cells = 0;
        for (var i = 0; i < edits.Length; i++)
        {
            edits[i] = i == edit ? Recipe.Edits[i] with { Mask = mask } : Recipe.Edits[i];
            cells += edits[i].Mask?.Cells.Length ?? 0;
        }
        var changed = Recipe with { Edits = [.. edits] };
        var problem = RecipeRules.MaskCells(cells) ?? ModelFit.MaskProblem(edits[edit], changed, model);
        return problem is null ? new(changed) : throw new RecipeException($"edits[{edit}].mask", problem);
    }

    /// <summary>The canonical JSON, written once.</summary>
    public string ToJson() => _json ??= RecipeWriter.Write(Recipe);

    public bool Equals(CheckedRecipe? other) => other?.Recipe == Recipe;

    public override bool Equals(object? obj) => Equals(obj as CheckedRecipe);

    public override int GetHashCode() => Recipe.GetHashCode();
}

/// <summary>The rules for single values. Each returns the problem, or null for none.</summary>
internal static class RecipeRules
{
    /// <summary>A name must not be a path, because a server may use it as the name of a folder.</summary>
    public static string? Name(string value) => value switch
    {
        "" => "is empty",
        { Length: > RecipeLimits.MaxNameLength } => $"is {value.Length} characters long; {RecipeLimits.MaxNameLength} are allowed",
        _ when value[0] == '.' || value.AsSpan().Trim().Length != value.Length => "starts with a dot, or starts or ends with a space",
        _ when value.Any(c => c is '/' or '\\' or ':' || IsUnprintable(c)) => "contains a slash, a colon or an unprintable character",
        _ => Text(value),
    };

    public static string? LayerName(string value) => value.Length > RecipeLimits.MaxNameLength
        ? $"is {value.Length} characters long; {RecipeLimits.MaxNameLength} are allowed"
        : Text(value);

    public static string? Prompt(string value) => value.Length > RecipeLimits.MaxPromptLength
        ? $"is {value.Length} characters long; {RecipeLimits.MaxPromptLength} are allowed"
        : Text(value);

    public static string? Seed(long value) => value < 0 ? $"is {value}; it must be 0 or more" : null;

    public static string? Steps(int value) => Between(value, 1, RecipeLimits.MaxSteps);

    public static string? Guidance(double value) => Between(value, 0, RecipeLimits.MaxGuidance);

    public static string? Strength(double value) => Between(value, RecipeLimits.MinStrength, RecipeLimits.MaxStrength);

    public static string? Weight(double value) => Between(value, -1, 1);

    public static string? Feature(int value) => value < 0 ? $"is {value}; features count from 0" : null;

    public static string? Threshold(double value) => Between(value, 0, RecipeLimits.MaxThreshold);

    public static string? Grow(int value) => Between(value, 0, RecipeLimits.MaxGrow);

    public static string? Scale(double value) => double.IsFinite(value) ? null : "is not a finite number";

    public static string? Fingerprint(string value) =>
        value.Length == RecipeLora.FingerprintLength && value.All(char.IsAsciiHexDigitLower)
            ? null
            : $"is not {RecipeLora.FingerprintLength} hexadecimal digits";

    public static string? MaskCells(int total) =>
        total > RecipeLimits.MaxMaskCells ? $"exceeds the limit of {RecipeLimits.MaxMaskCells} cells in all masks together" : null;

    public static string? Side(int value) =>
        value is < RecipeLimits.SideMultiple or > RecipeLimits.MaxSide || value % RecipeLimits.SideMultiple != 0
            ? $"is {value}; it must be a multiple of {RecipeLimits.SideMultiple} from {RecipeLimits.SideMultiple} to {RecipeLimits.MaxSide}"
            : null;

    public static string? Defined<T>(T value)
        where T : struct, Enum => Enum.IsDefined(value) ? null : $"is not one of {string.Join(", ", Names.All<T>())}";

    private static string? Between(double value, double least, double most) =>
        value >= least && value <= most // also rejects NaN
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"is {value}; it must lie between {least} and {most}");

    // An unpaired surrogate cannot be written as UTF-8.
    private static string? Text(string value)
    {
        for (var i = 0; i < value.Length; i++)
        {
            if (!char.IsSurrogate(value[i]))
                continue;
            if (i + 1 == value.Length || !char.IsSurrogatePair(value[i], value[i + 1]))
                return "contains an unpaired surrogate";
            i++;
        }

        return null;
    }

    private static bool IsUnprintable(char c) =>
        char.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}

/// <summary>
/// The rules that involve more than one field. It checks lists element by element, so that a reader can drop an invalid element and
/// go on.
/// </summary>
internal sealed class RecipeChecker(int steps, List<RecipeError> errors)
{
    private readonly HashSet<Site> _intervened = [];
    private int _edits;
    private int _loras;
    private int _maskCells;
    private int _features;

    public static IReadOnlyList<RecipeError> Check(Recipe recipe)
    {
        var errors = new List<RecipeError>();
        void Field<T>(string name, T? value, Func<T, string?> rule)
        {
            if (value is not null && rule(value) is { } problem)
                errors.Add(new(name, problem));
        }

        Field("model", recipe.Model, RecipeRules.Name);
        Field("saes", recipe.Saes, RecipeRules.Name);
        Field("prompt", recipe.Prompt, RecipeRules.Prompt);
        Field("negativePrompt", recipe.NegativePrompt, RecipeRules.Prompt);
        Field("seed", recipe.Seed, RecipeRules.Seed);
        Field("steps", recipe.Steps, RecipeRules.Steps);
        Field("guidance", recipe.Guidance, RecipeRules.Guidance);
        Field("width", recipe.Width, RecipeRules.Side);
        Field("height", recipe.Height, RecipeRules.Side);
        Field("dtype", recipe.Dtype, dtype => RecipeRules.Defined(dtype!.Value));
        Field("overlap", recipe.Overlap, RecipeRules.Defined);
        Field("vae", recipe.Vae, vae => RecipeRules.Defined(vae!.Value));
        var checker = new RecipeChecker(recipe.Steps, errors);
        for (var i = 0; i < recipe.Edits.Count; i++)
            checker.Accepts(recipe.Edits[i], $"edits[{i}]");
        for (var i = 0; i < recipe.Interventions.Count; i++)
            checker.Accepts(recipe.Interventions[i], $"interventions[{i}]");
        for (var i = 0; i < recipe.Loras.Count; i++)
            checker.Accepts(recipe.Loras[i], $"loras[{i}]");
        return errors;
    }

    public bool Accepts(FeatureEdit edit, string path)
    {
        var before = errors.Count;
        Require(++_edits <= RecipeLimits.MaxEdits, path, $"exceeds the limit of {RecipeLimits.MaxEdits} edits");
        Require($"{path}.feature", RecipeRules.Feature(edit.Feature));
        Require($"{path}.name", edit.Name is { } name ? RecipeRules.LayerName(name) : null);
        foreach (var (i, feature) in edit.Also.Index())
            Require($"{path}.also[{i}]", RecipeRules.Feature(feature));
        var features = edit.Also.Count + 1;
        Require(edit.Features.Distinct().Count() == features, $"{path}.also", "names a feature twice");
        Require(_features + features <= RecipeLimits.MaxFeatures, $"{path}.also",
            $"exceeds the limit of {RecipeLimits.MaxFeatures} features in all edits together");
        Require(edit.Weights.Count == 0 || edit.Weights.Count == features, $"{path}.weights",
            $"has {edit.Weights.Count} weights; the edit has {features} features");
        foreach (var (i, weight) in edit.Weights.Index())
            Require($"{path}.weights[{i}]", RecipeRules.Weight(weight));
        Require(edit.Weights.Count == 0 || !edit.Mode.FindsCells, $"{path}.weights", $"does not belong to the mode {edit.Mode}");
        Require($"{path}.strength", RecipeRules.Strength(edit.Strength));
        Require($"{path}.threshold", RecipeRules.Threshold(edit.Threshold));
        Require($"{path}.grow", RecipeRules.Grow(edit.Grow));
        Require(edit.Mode.FindsCells || (edit.Threshold == 0 && edit.Grow == 0), $"{path}.{(edit.Threshold == 0 ? "grow" : "threshold")}",
            $"does not belong to the mode {edit.Mode}; it belongs to "
            + string.Join(" and ", EditMode.All.Where(mode => mode.FindsCells)));
        var cells = edit.Mask?.Cells.Length ?? 0;
        Require($"{path}.mask", RecipeRules.MaskCells(_maskCells + cells));
        Require(edit.FirstStep >= 0 && edit.FirstStep < steps, $"{path}.firstStep",
            $"is {edit.FirstStep}; the recipe's steps are 0 to {steps - 1}");
        if (edit.LastStep is { } last)
            Require(last > edit.FirstStep && last <= steps, $"{path}.lastStep",
                $"is {last}; it must lie after firstStep and be {steps} at most (it is exclusive)");
        Require(!edit.Site.IsText || (edit.FirstStep == 0 && edit.LastStep is null),
            $"{path}.{(edit.FirstStep == 0 ? "lastStep" : "firstStep")}",
            $"does not belong to {edit.Site}: text is encoded before the steps");
        if (errors.Count > before)
            return false;
        _maskCells += cells;
        _features += features;
        return true;
    }

    public bool Accepts(SiteIntervention intervention, string path)
    {
        var before = errors.Count;
        if (intervention is SiteIntervention.Icon icon)
            Require($"{path}.feature", RecipeRules.Feature(icon.Feature));
        Require(!intervention.Site.IsText, $"{path}.site", $"{intervention.Site} takes edits only; interventions are for the U-Net");
        Require(_intervened.Add(intervention.Site), $"{path}.site",
            $"{intervention.Site} already has an intervention; only one per site is allowed");
        return errors.Count == before;
    }

    public bool Accepts(RecipeLora lora, string path)
    {
        var before = errors.Count;
        Require(++_loras <= RecipeLimits.MaxLoras, path, $"exceeds the limit of {RecipeLimits.MaxLoras} LoRAs");
        Require($"{path}.name", RecipeRules.Name(lora.Name));
        Require($"{path}.scale", RecipeRules.Scale(lora.Scale));
        Require($"{path}.fingerprint", RecipeRules.Fingerprint(lora.Fingerprint));
        return errors.Count == before;
    }

    private void Require(string field, string? problem)
    {
        if (problem is not null)
            errors.Add(new(field, problem));
    }

    private void Require(bool holds, string field, string problem) => Require(field, holds ? null : problem);
}
