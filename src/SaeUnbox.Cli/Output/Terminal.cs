using Spectre.Console;

namespace SaeUnbox.Cli.Output;

/// <summary>Where a command speaks: results to the output stream, all else (progress, notes, errors) to the error stream.</summary>
/// <param name="output">Gets results only.</param>
/// <param name="error">Gets progress, notes and errors.</param>
/// <param name="bars">Progress bars on the error stream; null where it is no terminal.</param>
internal sealed class Terminal(TextWriter output, TextWriter error, IAnsiConsole? bars = null)
{
    public TextWriter Output => output;

    public TextWriter Error => error;

    /// <summary>Whether progress is drawn; else a long command says in lines how far it is.</summary>
    public bool HasBars => bars is not null;

    /// <summary>The streams of this process.</summary>
    public static Terminal OfProcess() => new(
        Console.Out, Console.Error, Console.IsErrorRedirected ? null : AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) }));

    /// <summary>One line to the user that is neither a result nor an error.</summary>
    public void Note(string message) => error.WriteLine($"saeunbox: {Line.Of(message)}");

    /// <summary>Runs work under a progress bar, where there is a terminal to draw it on.</summary>
    public T WithProgress<T>(string title, Func<IProgress<Advance>, T> work) =>
        WithProgressAsync(title, progress => Task.FromResult(work(progress))).GetAwaiter().GetResult();

    /// <inheritdoc cref="WithProgress{T}"/>
    public Task<T> WithProgressAsync<T>(string title, Func<IProgress<Advance>, Task<T>> work) => bars is null
        ? work(new Ignored())
        : bars.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new Remaining.Column(), new SpinnerColumn())
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
