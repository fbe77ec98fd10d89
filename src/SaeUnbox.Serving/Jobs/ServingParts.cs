namespace SaeUnbox.Serving;

/// <summary>A process of several parts (models, a worker's or a web node's side of a broker) is ready when all of them are.</summary>
public sealed class ServingParts(IEnumerable<IServingState> parts) : IServingState
{
    /// <summary>The key under which each part registers its own state.</summary>
    public const string Key = "part";

    private readonly IServingState[] _parts = [.. parts];

    public bool IsReady => _parts.All(part => part.IsReady);

    public bool TakesVisitors => _parts.All(part => part.TakesVisitors);

    public bool IsStopping => _parts.Any(part => part.IsStopping);

    public string? Failure => _parts.Select(part => part.Failure).FirstOrDefault(failure => failure is not null);

    public bool IsBroken => _parts.Any(part => part.IsBroken);

    public string? Missing => _parts.Select(part => part.Missing).FirstOrDefault(missing => missing is not null);

    public Task Loaded => Task.WhenAll(_parts.Select(part => part.Loaded));
}
