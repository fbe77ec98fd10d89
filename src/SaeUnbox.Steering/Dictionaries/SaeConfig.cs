using System.Text.Json;
using System.Text.Json.Serialization;

namespace SaeUnbox.Steering;

/// <summary>The shape of a sparse autoencoder, as <c>config.json</c> beside its weights states it.</summary>
/// <param name="Features">n, the number of dictionary features.</param>
/// <param name="Width">d, the channels of the block it reads.</param>
/// <param name="K">How many features are kept per position.</param>
/// <param name="AuxK">How many dead features the auxiliary training loss may use; null: none.</param>
/// <param name="DeadStepsThreshold">A feature unused for more steps than this counts as dead.</param>
/// <param name="Threshold">
/// Set by BatchTopK training only: a feature is active if its pre-activation exceeds this, and <paramref name="K"/> is
/// then the mean number per position. Readers that ignore the key use it as a top-k autoencoder.
/// </param>
/// <param name="PrefixSizes">Set by nested (Matryoshka) training only: the sizes of the nested dictionaries, ending with n.</param>
public sealed record SaeConfig(
    [property: JsonPropertyName("n_dirs_local")] int Features,
    [property: JsonPropertyName("d_model")] int Width,
    [property: JsonPropertyName("k")] int K,
    [property: JsonPropertyName("auxk")] int? AuxK,
    [property: JsonPropertyName("dead_steps_threshold")] long DeadStepsThreshold,
    [property: JsonPropertyName("threshold")] float? Threshold = null,
    [property: JsonPropertyName("prefix_sizes")] IReadOnlyList<int>? PrefixSizes = null)
{
    private const long LargestFile = 1 << 20;
    private const long LargestMatrix = 1L << 30;

    /// <summary>Reads and validates a <c>config.json</c>.</summary>
    /// <exception cref="SaeException">The file is missing, not JSON, or incomplete, or a number is out of range.</exception>
    public static SaeConfig Load(string path)
    {
        if (!File.Exists(path))
            throw new SaeException($"{path}: the configuration of the sparse autoencoder is missing.");
        if (new FileInfo(path).Length > LargestFile)
            throw new SaeException($"{path}: too large for a configuration (over {LargestFile} bytes).");
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            var config = Read(json.RootElement, path);
            config.Validate(path);
            return config;
        }
        catch (JsonException e)
        {
            throw new SaeException($"{path}: no valid JSON ({e.Message})", e);
        }
    }

    /// <summary>Throws if a number is out of range; <paramref name="source"/> is named in the message.</summary>
    public void Validate(string source)
    {
        Require(Features >= 1, "n_dirs_local", Features, "at least 1");
        Require(Width >= 1, "d_model", Width, "at least 1");
        Require((long)Features * Width <= LargestMatrix, "n_dirs_local * d_model", (long)Features * Width, $"at most {LargestMatrix}");
        Require(K >= 1 && K <= Features, "k", K, $"1 to n_dirs_local ({Features})");
        Require(AuxK is null or >= 1 && !(AuxK > Features), "auxk", AuxK, $"null or 1 to n_dirs_local ({Features})");
        Require(DeadStepsThreshold >= 0, "dead_steps_threshold", DeadStepsThreshold, "at least 0");
        Require(
            Threshold is null || (float.IsFinite(Threshold.Value) && Threshold >= 0),
            "threshold",
            Threshold,
            "null or a number of at least 0");
        if (PrefixSizes is { } prefixes)
        {
            var previous = 0;
            foreach (var size in prefixes)
            {
                Require(size > previous, "prefix_sizes", size, "rising sizes");
                previous = size;
            }

            Require(previous == Features, "prefix_sizes", previous, $"sizes that end with n_dirs_local ({Features})");
        }

        void Require(bool holds, string field, object? value, string range)
        {
            if (!holds)
                throw new SaeException($"{source}: {field} is {value}, it must be {range}.");
        }
    }

    /// <summary>The JSON text. Keys that the reference lacks are written only if set.</summary>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteNumber("n_dirs_local", Features);
            writer.WriteNumber("d_model", Width);
            writer.WriteNumber("k", K);
            if (AuxK is { } auxK)
                writer.WriteNumber("auxk", auxK);
            else
                writer.WriteNull("auxk");
            writer.WriteNumber("dead_steps_threshold", DeadStepsThreshold);
            if (Threshold is { } threshold)
                writer.WriteNumber("threshold", threshold);
            if (PrefixSizes is { } prefixes)
            {
                writer.WriteStartArray("prefix_sizes");
                foreach (var size in prefixes)
                    writer.WriteNumberValue(size);
                writer.WriteEndArray();
            }

            writer.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static SaeConfig Read(JsonElement root, string source)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw new SaeException($"{source}: not a JSON object.");
        return new SaeConfig(
            (int)Integer("n_dirs_local", int.MaxValue),
            (int)Integer("d_model", int.MaxValue),
            (int)Integer("k", int.MaxValue),
            Find("auxk", required: true) is { ValueKind: not JsonValueKind.Null } ? (int)Integer("auxk", int.MaxValue) : null,
            Integer("dead_steps_threshold", long.MaxValue),
            Find("threshold", required: false) is { ValueKind: not JsonValueKind.Null } threshold ? Number(threshold) : null,
            Find("prefix_sizes", required: false) is { ValueKind: not JsonValueKind.Null } sizes ? Sizes(sizes) : null);

        JsonElement? Find(string field, bool required)
        {
            if (root.TryGetProperty(field, out var value))
                return value;
            return required ? throw new SaeException($"{source}: {field} is missing.") : null;
        }

        long Integer(string field, long largest)
        {
            var value = Find(field, required: true)!.Value;
            if (!PlainNumber.TryWhole(value, out long number) || number < 0 || number > largest)
                throw new SaeException($"{source}: {field} is {value.GetRawText()}, it must be a whole number up to {largest}.");
            return number;
        }

        float Number(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out var number)
            && float.IsFinite(number)
            ? number
            : throw new SaeException($"{source}: threshold is {value.GetRawText()}, it must be a number.");

        int[] Sizes(JsonElement value) => value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(size => PlainNumber.TryWhole(size, out int number)
                ? number
                : throw new SaeException($"{source}: prefix_sizes holds {size.GetRawText()}, it must hold whole numbers."))]
            : throw new SaeException($"{source}: prefix_sizes is no list.");
    }
}

/// <summary>A sparse autoencoder, its files or a request to it cannot be used; the message is one sentence for the user.</summary>
public sealed class SaeException : Exception
{
    public SaeException(string message)
        : base(message)
    {
    }

    public SaeException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
