using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace SaeUnbox.Lab;

/// <summary>
/// What an evaluation was asked. Equal questions about equal models have equal answers, so that a folder of parts belongs to one question.
/// </summary>
public sealed record EvaluationQuestion
{
    public required string Model { get; init; }

    /// <summary>See <see cref="LoadedModel.Fingerprint"/>.</summary>
    public required string ModelFingerprint { get; init; }

    /// <summary>Fingerprint of the dictionaries' files.</summary>
    public required string Dictionaries { get; init; }

    public string? SecondDictionaries { get; init; }

    public string? Clip { get; init; }

    public required string Dtype { get; init; }

    public required string Device { get; init; }

    /// <summary>The last digits of results depend on it.</summary>
    public required int Threads { get; init; }

    public required int Steps { get; init; }

    public required double Guidance { get; init; }

    public required int Width { get; init; }

    public required int Height { get; init; }

    public required IReadOnlyList<string> Sites { get; init; }

    /// <summary>Captions for the fit and for pictures after reconstruction.</summary>
    public required int Captions { get; init; }

    /// <summary>SHA-256 of the captions and their seeds.</summary>
    public required string CaptionsHash { get; init; }

    /// <summary>Pictures to choose features on, and as many others to measure detection on.</summary>
    public required int Pictures { get; init; }

    /// <summary>Pictures in which each element is steered.</summary>
    public required int Scenes { get; init; }

    /// <summary>Pictures on which the strengths of an element are chosen.</summary>
    public required int Tuning { get; init; }

    /// <summary>Seed of the judge's pictures; null without a judge.</summary>
    public required int? Seed { get; init; }

    public required IReadOnlyList<string> Elements { get; init; }
}

/// <summary>
/// The folder of an evaluation: question.json, and in parts/ a file for each finished part, each written completely or not at all, so that
/// a stopped evaluation goes on.
/// </summary>
internal sealed class EvaluationFolder
{
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    private const string QuestionFile = "question.json";

    private readonly string _folder;

    private EvaluationFolder(string folder) => _folder = folder;

    /// <summary>Opens a folder, or makes it.</summary>
    /// <exception cref="SaeException">It holds the parts of another question, or other files.</exception>
    public static EvaluationFolder Open<T>(string folder, T question)
    {
        var (file, asked) = (Path.Combine(folder, QuestionFile), JsonSerializer.Serialize(question, Json));
        if (File.Exists(file))
        {
            if (File.ReadAllText(file) != asked)
                throw new SaeException($"{folder}: an evaluation with other options, or of other files, is in this folder; choose another "
                    + "folder, or delete this one.");
        }
        else if (Directory.Exists(folder)
            && Directory.EnumerateFileSystemEntries(folder).Any(path => !Path.GetFileName(path).StartsWith('.')))
        {
            throw new SaeException($"{folder}: the folder holds other files; choose another one.");
        }
        Directory.CreateDirectory(Path.Combine(folder, "parts"));
        AtomicFile.WriteAllText(file, asked);
        return new(folder);
    }

    public string At(string name) => Path.Combine(_folder, name);

    /// <summary>A part from its file; made, and written there, if there is none.</summary>
    public T Part<T>(string name, Func<T> make)
    {
        var path = Path.Combine(_folder, "parts", name + ".json");
        if (Read<T>(path) is { } known)
            return known;
        var made = make();
        AtomicFile.WriteAllText(path, JsonSerializer.Serialize(made, Json));
        return made;
    }

    public bool Has(string name) => File.Exists(Path.Combine(_folder, "parts", name + ".json"));

    public void Write(string name, string text) => AtomicFile.WriteAllBytes(At(name), Encoding.UTF8.GetBytes(text));

    private static T? Read<T>(string path)
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<T>(File.ReadAllText(path), Json) : default;
        }
        catch (JsonException error)
        {
            throw new SaeException($"{path}: this part of an evaluation is damaged ({error.Message}); delete it, and it is made again.",
                error);
        }
    }
}
