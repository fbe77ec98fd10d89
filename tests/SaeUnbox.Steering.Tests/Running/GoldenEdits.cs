using System.Text.Json;
using SaeUnbox.Testing;

namespace SaeUnbox.Steering.Tests;

/// <summary>The golden interventions as recipes.</summary>
internal static class GoldenEdits
{
    private const string TurboFile = "edits/turbo.safetensors";
    private const string BaseFile = "edits/base.safetensors";

    // A recipe has no edit of the conditional half alone.
    public static TheoryData<string> BaseCases() =>
        [.. Goldens.Json("edits", "base.json").GetProperty("cases").EnumerateObject()
            .Where(entry => entry.Value.TryGetProperty("function", out var function)
                && function.GetString() != "add_feature_on_area_base_cond")
            .Select(entry => entry.Name)];

    public static TheoryData<string> TurboCases() => [.. Goldens.Json("edits", "turbo.json").EnumerateObject().Select(entry => entry.Name)];

    public static Recipe Turbo(GoldenModel model, string name)
    {
        var json = Goldens.Json("edits", "turbo.json").GetProperty(name);
        var recipe = model.Recipe("turbo1") with { Prompt = json.GetProperty("prompt").GetString()! };
        return json.TryGetProperty("edits", out var edits)
            ? recipe with { Edits = [.. edits.EnumerateArray().Select(edit => (FeatureEdit)Part(model, edit, TurboFile)!)] }
            : With(recipe, Part(model, json, TurboFile));
    }

    public static Recipe Base(GoldenModel model, string name)
    {
        var json = Goldens.Json("edits", "base.json").GetProperty("cases").GetProperty(name);
        return With(model.Recipe("base"), Part(model, json, BaseFile));
    }

    private static Recipe With(Recipe recipe, object part) => part is FeatureEdit edit
        ? recipe with { Edits = [edit] }
        : recipe with { Interventions = [(SiteIntervention)part] };

    private static object Part(GoldenModel model, JsonElement json, string file)
    {
        var site = Site.Parse(json.GetProperty("block").GetString()!);
        var function = json.TryGetProperty("function", out var named) ? named.GetString()! : "add_feature_on_area";
        var feature = json.TryGetProperty("feature", out var number) ? number.GetInt32() : 0;
        if (function.StartsWith("reconstruct", StringComparison.Ordinal))
            return new SiteIntervention.Reconstruct(site);
        if (function.StartsWith("ablate", StringComparison.Ordinal))
            return new SiteIntervention.Ablate(site);
        if (function.StartsWith("replace_with_feature", StringComparison.Ordinal))
            return new SiteIntervention.Icon(site, feature);
        if (json.TryGetProperty("beta", out var beta))
            return new FeatureEdit(site, feature, beta.GetDouble()) { Mode = EditMode.Scale };
        // A plain value stands for strength times the feature's mean.
        var strength = json.TryGetProperty("value", out var value)
            ? value.GetDouble() / model.For("turbo1").Saes[site].MeanOf(feature)
            : json.GetProperty("strength").GetDouble();
        var mask = json.TryGetProperty("mask", out var area) ? $"mask/{area.GetString()}" : file == BaseFile ? "mask" : null;
        var edit = new FeatureEdit(site, feature, strength) { Mask = mask is null ? null : GoldenModel.Mask(file, mask) };
        if (!json.TryGetProperty("apply_at_steps", out var steps))
            return edit;
        if (steps.ValueKind == JsonValueKind.Null)
            return edit with { Enabled = false };
        var applied = steps.EnumerateArray().Select(step => step.GetInt32()).ToArray();
        return edit with { FirstStep = applied[0], LastStep = applied[^1] + 1 };
    }
}
