namespace SaeUnbox.Serving;

/// <summary>The workers that are there, as far as a web node knows.</summary>
public interface IWorkerDirectory
{
    IReadOnlyList<WorkerInfo> Workers { get; }

    /// <summary>The models that some worker holds, each once, in the order of their names.</summary>
    IReadOnlyList<ModelInfo> Models { get; }
}

/// <summary>A device that takes jobs.</summary>
/// <param name="Name">Names it among all.</param>
/// <param name="Device">Such as cpu or cuda:0.</param>
/// <param name="Models">The models it holds.</param>
/// <param name="Doing">The job it does; null while it waits for one.</param>
/// <param name="ServiceTime">How long its jobs take on average; null while it did none.</param>
public sealed record WorkerInfo(string Name, string Device, IReadOnlyList<ModelInfo> Models, Guid? Doing, TimeSpan? ServiceTime);
