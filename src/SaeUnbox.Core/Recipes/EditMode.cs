using System.Diagnostics.CodeAnalysis;

namespace SaeUnbox.Core;

/// <summary>
/// What an edit does with its feature. JSON, the API's schema, the command line and the page read this table. A new mode is one entry
/// here and one class derived from <c>EditKind</c> in SaeUnbox.Steering, which makes the edit.
/// </summary>
[JsonConverter(typeof(Converter))]
public sealed class EditMode
{
    private EditMode(string name, string summary, string formula, bool needsMean = false, bool covers = false, bool findsCells = false) =>
        (Name, Summary, Formula, NeedsMean, Covers, FindsCells) = (name, summary, formula, needsMean, covers, findsCells);

    /// <summary>Adds the feature's direction, scaled by the feature's mean activation: output + m · mean · s · d.</summary>
    public static EditMode Add { get; } =
        new("add", "put the feature in", "strength times the feature's mean activation is added", needsMean: true, covers: true);

    /// <summary>Adds a multiple of the feature's current contribution: output + s · m · z · d.</summary>
    public static EditMode Scale { get; } =
        new("scale", "strengthen or weaken what is there",
            "strength times the current activation is added: -1 removes the feature, 1 doubles it");

    /// <summary>Replaces the feature's cells by the one cell without it that is most like their surroundings.</summary>
    public static EditMode ReplaceNearest { get; } =
        new("replace-nearest", "replace the feature's cells by one like their surroundings",
            "cells where the feature is active become the cell without it whose direction is nearest to that of their surroundings; "
            + "strength 1 replaces them, less mixes", findsCells: true);

    /// <summary>Replaces the feature's cells by the mean of the cells without it.</summary>
    public static EditMode ReplaceMean { get; } =
        new("replace-mean", "replace the feature's cells by the mean of the others",
            "cells where the feature is active become the mean of the cells without it; strength 1 replaces them, less mixes",
            findsCells: true);

    /// <summary>All modes, the default first.</summary>
    public static IReadOnlyList<EditMode> All { get; } = [Add, Scale, ReplaceNearest, ReplaceMean];

    /// <summary>The mode of an edit that names none.</summary>
    public static EditMode Default => All[0];

    /// <summary>The name in JSON, on the command line and on the page.</summary>
    public string Name { get; }

    /// <summary>What the mode is for, in a few words.</summary>
    public string Summary { get; }

    /// <summary>What the mode computes, in one sentence.</summary>
    public string Formula { get; }

    /// <summary>Whether the mode needs the feature's mean activation (mean.pt).</summary>
    public bool NeedsMean { get; }

    /// <summary>Whether the feature only finds the cells, so that an edit can have a threshold and grow.</summary>
    public bool FindsCells { get; }

    /// <summary>Whether an edit hides earlier ones of such modes under <see cref="Overlap.Cover"/>.</summary>
    public bool Covers { get; }

    /// <summary>The names of all modes, such as "add|scale".</summary>
    public static string Names(string separator) => string.Join(separator, All.Select(mode => mode.Name));

    public static bool TryParse(string? name, [NotNullWhen(true)] out EditMode? mode) =>
        (mode = All.FirstOrDefault(one => one.Name == name)) is not null;

    public override string ToString() => Name;

    // A mode is its name in JSON.
    private sealed class Converter : JsonConverter<EditMode>
    {
        public override EditMode Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) =>
            TryParse(reader.GetString(), out var mode) ? mode : throw new JsonException($"a mode is one of {Names(", ")}");

        public override void Write(Utf8JsonWriter writer, EditMode value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.Name);
    }
}
