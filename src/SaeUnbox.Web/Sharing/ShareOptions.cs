using System.ComponentModel.DataAnnotations;
using Npgsql;

namespace SaeUnbox.Web.Sharing;

internal enum ShareStoreKind
{
    Sqlite,
    Postgres,
}

/// <summary>The section "SaeUnbox:Sharing"; which store stands one level above, as "SaeUnbox:Store".</summary>
internal sealed class ShareOptions : IValidatableObject
{
    public const string Section = "SaeUnbox:Sharing", StoreKey = "SaeUnbox:Store";

    public ShareStoreKind Store { get; set; }

    /// <summary>The SQLite file.</summary>
    [Required]
    public string File { get; set; } = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create), "saeunbox", "shares.db");

    /// <summary>How PostgreSQL is reached, such as "Host=db;Database=saeunbox;Username=saeunbox;Password=…". It is never logged.</summary>
    public string? Connection { get; set; }

    /// <summary>An SQLite file of shared recipes that is taken over at the start.</summary>
    public string? Import { get; set; }

    /// <summary>How long a link that nobody opens is kept; zero for ever.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "3650.00:00:00")]
    public TimeSpan Keep { get; set; } = TimeSpan.FromDays(365);

    /// <summary>Host, port and database of <see cref="Connection"/>, without what is secret.</summary>
    public string Server() => new NpgsqlConnectionStringBuilder(Connection) is var parts ? $"{parts.Host}:{parts.Port}/{parts.Database}" : "";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Store != ShareStoreKind.Postgres)
            yield break;
        if (string.IsNullOrWhiteSpace(Connection))
            yield return new($"is empty; {StoreKey} is Postgres, so it must say how to reach it", [nameof(Connection)]);
        else if (Mistake(Connection) is { } mistake)
            yield return new($"is no connection string of PostgreSQL: {mistake}", [nameof(Connection)]);
    }

    private static string? Mistake(string connection)
    {
        try
        {
            return new NpgsqlConnectionStringBuilder(connection).Host is { Length: > 0 } ? null : "it names no Host";
        }
        catch (ArgumentException exception)
        {
            return exception.Message.TrimEnd('.');
        }
    }
}
