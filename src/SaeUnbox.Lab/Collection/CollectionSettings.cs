using System.Text.Json;
using System.Text.Json.Serialization;

namespace SaeUnbox.Lab;

/// <summary>What all items of a collection have in common, as <c>collection.json</c> in its folder says.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Weights">The model's fingerprint; null where it was not kept.</param>
/// <param name="Dtype">The numbers it ran in.</param>
/// <param name="Steps">Items of each caption.</param>
/// <param name="Guidance">0 where there was none.</param>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In pixels.</param>
public sealed record CollectionSettings(string Model, string? Weights, Dtype Dtype, int Steps, double Guidance, int Width, int Height)
{
    private const string FileName = "collection.json";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) 
    {
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>Reads a collection's settings; null where the folder has none.</summary>
    /// <exception cref="SaeException">The file is broken.</exception>
    public static CollectionSettings? Find(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) return null;
        try
        {
            return JsonSerializer.Deserialize<CollectionSettings>(File.ReadAllBytes(path), Json) ?? throw new JsonException("it holds null");
        }
        catch (JsonException error)
        {
            throw new SaeException($"{path}: cannot be read ({error.Message}).", error);
        }
    }

    /// <summary>Makes a folder a collection with these settings, or checks that it is one.</summary>
    /// <exception cref="SaeException">It was collected with others; the message names them.</exception>
    internal void Claim(string folder)
    {
        if (Find(folder) is not { } there)
        {
            AtomicFile.WriteAllText(Path.Combine(folder, FileName), JsonSerializer.Serialize(this, Json) + "\n");
            return;
        }
        var differences = Fields().Zip(there.Fields()).Where(pair => pair.First != pair.Second)
            .Select(pair => $"{pair.Second.Name} {pair.Second.Value} and not {pair.First.Value}").ToArray();
        if (differences.Length > 0) throw new SaeException($"{folder}: was collected with {string.Join(", ", differences)}; give another folder.");
    }

    private IEnumerable<(string Name, string Value)> Fields() =>
    [
        ("model", Model), ("weights", Weights ?? "unknown"), ("dtype", Names.Of(Dtype)), ("steps", $"{Steps}"),
        ("guidance", FormattableString.Invariant($"{Guidance}")), ("size", $"{Width} x {Height}"),
    ];
}
