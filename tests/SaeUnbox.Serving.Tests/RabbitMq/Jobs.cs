using SaeUnbox.Serving.TestWorker;

namespace SaeUnbox.Serving.Tests;

internal static class Jobs
{
    private static long _seed;

    public static GenerationJob Live(string prompt, string? canvas = null) =>
        Batch(prompt) with { Canvas = canvas ?? Guid.NewGuid().ToString("n") };

    public static GenerationJob Batch(string prompt) => new(Guid.NewGuid(),
        new Recipe
        {
            Model = TestExecutor.Model,
            Prompt = prompt,
            Width = 64,
            Height = 64,
            Seed = Interlocked.Increment(ref _seed)
        }.Check());
}
