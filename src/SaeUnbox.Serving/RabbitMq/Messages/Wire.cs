using System.Text.Json;
using System.Text.Json.Serialization;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>JSON messages, each with a version first. A reader knows one version, and skips fields it does not know.</summary>
internal static class Wire
{
    public const int Version = 1;

    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) }, MaxDepth = 16 };

    public static byte[] Write<T>(T message) => JsonSerializer.SerializeToUtf8Bytes(message, Options);

    /// <exception cref="MessageException">It is no message of this kind and version.</exception>
    public static T Read<T>(ReadOnlySpan<byte> bytes)
    {
        try
        {
            var version = JsonSerializer.Deserialize<Versioned>(bytes, Options)?.Version;
            if (version != Version)
                throw new MessageException(version is null ? "the message has no version" : $"the message has version {version}; this program reads version {Version}");
            return JsonSerializer.Deserialize<T>(bytes, Options) ?? throw new MessageException("the message is empty");
        }
        catch (JsonException exception)
        {
            throw new MessageException($"the message cannot be read: {exception.Message}", exception);
        }
    }

    private sealed record Versioned(int? Version);
}

/// <summary>A message that cannot be used.</summary>
internal sealed class MessageException(string message, Exception? inner = null) : Exception(message, inner);
