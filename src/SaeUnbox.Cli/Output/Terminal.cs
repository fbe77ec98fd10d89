using Spectre.Console;

namespace SaeUnbox.Cli.Output;

/// <summary>Progress goes to the error stream, so that the output stream holds nothing but results.</summary>
internal static class Terminal
{
    private static readonly IAnsiConsole Errors = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });

    /// <summary>Runs work under a progress bar; where the error stream is no terminal, the bar is left out.</summary>
    public static T WithProgress<T>(string title, Func<IProgress<Advance>, T> work) =>
        WithProgressAsync(title, progress => Task.FromResult(work(progress))).GetAwaiter().GetResult();

    /// <inheritdoc cref="WithProgress{T}"/>
    public static Task WithProgressAsync(string title, Func<IProgress<Advance>, Task> work) =>
        WithProgressAsync(title, async progress =>
        {
            await work(progress);
            return true;
        });

    private static Task<T> WithProgressAsync<T>(string title, Func<IProgress<Advance>, Task<T>> work)
    {
        if (Console.IsErrorRedirected) return work(new Ignored());
        return Errors.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn(), new SpinnerColumn())
            .StartAsync(context =>
            {
                var task = context.AddTask(Markup.Escape(title), maxValue: 1);
                task.IsIndeterminate = true;
                return work(new Bar(task));
            });
    }

    public static void Note(string message) => Console.Error.WriteLine(message);

    private sealed class Bar(ProgressTask task) : IProgress<Advance>
    {
        public void Report(Advance value)
        {
            task.IsIndeterminate = value.Total <= 0;
            task.Value = value.Total > 0 ? value.Done / value.Total : 0;
            if (value.Title is { } title) task.Description = Markup.Escape(title);
        }
    }

    private sealed class Ignored : IProgress<Advance>
    {
        public void Report(Advance value)
        {
        }
    }
}

/// <summary>How far a piece of work is.</summary>
/// <param name="Total">0 where it is not known.</param>
/// <param name="Title">What it is doing now; null: as before.</param>
internal readonly record struct Advance(double Done, double Total, string? Title = null);
