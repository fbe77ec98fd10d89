using System.Text.Json;
using System.Text.Json.Serialization;

namespace SaeUnbox.Mini.Training;

/// <summary>Options as a JSON file: what it leaves out keeps its default, what it does not know is an error.</summary>
public static class MiniTrainingOptionsFile
{
    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, ReadCommentHandling = JsonCommentHandling.Skip,
        RespectNullableAnnotations = true,
    };

    /// <exception cref="CheckpointException">The file is missing or is no set of options.</exception>
    public static MiniTrainingOptions Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<MiniTrainingOptions>(File.ReadAllText(path), Format)
                ?? throw new CheckpointException($"'{path}' holds no training options.");
        }
        catch (JsonException exception)
        {
            throw new CheckpointException($"'{path}' holds no training options: {exception.Message.Split(". ")[0]} (line {exception.LineNumber + 1}).", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"The training options '{path}' cannot be read: {exception.Message}", exception);
        }
    }

    public static void Write(string path, MiniTrainingOptions options) => AtomicFile.WriteAllText(path, JsonSerializer.Serialize(options, Format) + "\n");
}
