using Spectre.Console;

namespace SaeUnbox.Cli.Output;

/// <summary>The streams of a command.</summary>
/// <param name="output">For results only.</param>
/// <param name="error">For progress, notes and errors.</param>
/// <param name="bars">Progress bars on the error stream; null if it is not a terminal.</param>
internal sealed class Terminal(TextWriter output, TextWriter error, IAnsiConsole? bars = null)
{
    public TextWriter Output => output;

    public TextWriter Error => error;

    /// <summary>Whether progress bars are shown; otherwise long commands report progress in lines.</summary>
    public bool HasBars => bars is not null;

    /// <summary>How often a long command reports its progress in a line.</summary>
    public TimeSpan NoteInterval { get; init; } = TimeSpan.FromSeconds(10);

    public static Terminal OfProcess() => new(
        Console.Out, Console.Error, Console.IsErrorRedirected
            ? null
            : AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) }));

    /// <summary>Writes one line to the error stream.</summary>
    public void Note(string message) => error.WriteLine($"saeunbox: {Line.Of(message)}");

    /// <summary>Runs work with a progress bar if there is a terminal.</summary>
    public T WithProgress<T>(string title, Func<IProgress<Advance>, T> work) =>
        WithProgressAsync(title, progress => Task.FromResult(work(progress))).GetAwaiter().GetResult();

    /// <inheritdoc cref="WithProgress{T}"/>
    public Task<T> WithProgressAsync<T>(string title, Func<IProgress<Advance>, Task<T>> work) => bars is null
        ? work(new Ignored())
        : bars.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new Remaining.Column(),
                new SpinnerColumn())
            .StartAsync(context =>
            {
                var task = context.AddTask(Markup.Escape(title), maxValue: 1);
                task.IsIndeterminate = true;
                return work(new Bar(task));
            });

    private sealed class Bar(ProgressTask task) : IProgress<Advance>
    {
        public void Report(Advance value)
        {
            task.IsIndeterminate = value.Total <= 0;
            task.Value = value.Total > 0 ? value.Done / value.Total : 0;
            if (value.Title is { } title)
                task.Description = Markup.Escape(title);
        }
    }

    private sealed class Ignored : IProgress<Advance>
    {
        public void Report(Advance value)
        {
        }
    }
}

/// <summary>The progress of a piece of work.</summary>
/// <param name="Total">0 if unknown.</param>
/// <param name="Title">The current step; null if unchanged.</param>
internal readonly record struct Advance(double Done, double Total, string? Title = null);
