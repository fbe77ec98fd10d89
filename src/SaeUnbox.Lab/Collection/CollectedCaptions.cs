using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace SaeUnbox.Lab;

/// <summary>The captions and seeds of a collection, <c>captions.jsonl</c> in its folder: line i belongs to caption i.</summary>
public static class CollectedCaptions
{
    private const string FileName = "captions.jsonl";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads them one by one; none where the folder has no such file.</summary>
    /// <exception cref="SaeException">A line is broken.</exception>
    public static IEnumerable<Caption> Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        return File.Exists(path) ? File.ReadLines(path).Select((line, index) => Parse(path, index, line)) : [];
    }

    /// <summary>Stores the captions, or checks that those there are the same; more may follow them.</summary>
    /// <exception cref="SaeException">The folder was collected from other captions or seeds.</exception>
    internal static void Claim(string folder, IReadOnlyList<Caption> captions)
    {
        var there = 0;
        foreach (var caption in Read(folder).Take(captions.Count))
        {
            if (caption != captions[there])
                throw new SaeException($"{folder}: was collected from other captions or seeds, the first is number {there}; give another folder.");
            there++;
        }
        if (there == captions.Count) return;
        AtomicFile.Write(Path.Combine(folder, FileName), stream =>
        {
            using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
            foreach (var caption in captions) writer.WriteLine(JsonSerializer.Serialize(caption, Json));
        });
    }

    private static Caption Parse(string path, int index, string line)
    {
        try
        {
            return JsonSerializer.Deserialize<Caption>(line, Json) is { Text: not null } caption ? caption : throw new JsonException("there is no text");
        }
        catch (JsonException error)
        {
            throw new SaeException($"{path}: line {index + 1} cannot be read ({error.Message}).", error);
        }
    }
}
