using System.Diagnostics;
using System.Text.Encodings.Web;
using System.Text.Json;
using Spectre.Console;
using Spectre.Console.Rendering;

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

/// <summary>Reports the progress of long work: on a progress bar, or without one in a line from time to time.</summary>
internal sealed class LongWork(Terminal terminal, IProgress<Advance> bar)
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _noted = Stopwatch.GetTimestamp();
    private double? _first;

    /// <param name="done">Units of work done.</param>
    /// <param name="total">Units of work in total.</param>
    /// <param name="what">Describes the work; called only when shown.</param>
    public void Report(double done, double total, Func<string> what)
    {
        _first ??= done;
        if (terminal.HasBars)
            bar.Report(new(done, total, what()));
        else if (Stopwatch.GetElapsedTime(_noted) >= terminal.NoteInterval)
        {
            _noted = Stopwatch.GetTimestamp();
            terminal.Note(FormattableString.Invariant($"{what()}; {done:0} of {total:0}{Left(done, total)}"));
        }
    }

    private string Left(double done, double total)
    {
        if (done <= _first)
            return "";
        var left = Stopwatch.GetElapsedTime(_start) * ((total - done) / (done - _first!.Value));
        return $", {Remaining.Text(left)}";
    }
}

/// <summary>Formats the remaining time: 1:23:45 or 0:42.</summary>
internal static class Remaining
{
    public static string Text(TimeSpan left) => left.TotalHours >= 1
        ? FormattableString.Invariant($"{(long)left.TotalHours}:{left:mm\\:ss} left")
        : FormattableString.Invariant($"{left:m\\:ss} left");

    /// <summary>Shows the remaining time next to a progress bar once it is known.</summary>
    public sealed class Column : ProgressColumn
    {
        protected override bool NoWrap => true;

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text(task.IsFinished || task.RemainingTime is not { } left ? "" : Remaining.Text(left), new Style(Color.Blue));
    }
}

/// <summary>Makes untrusted text safe for the terminal: on one line, without control characters, shortened in quotes.</summary>
internal static class Line
{
    private const int LongestQuote = 60;

    public static string Of(string text) => string.Concat(text.ReplaceLineEndings(" ").Select(c => char.IsControl(c) ? '?' : c));

    public static string Quote(string text, int longest = LongestQuote) =>
        text.Length <= longest ? text : $"{text[..longest]}… ({text.Length} characters)";
}

/// <summary>Formats the document of <c>--json</c>.</summary>
internal static class Json
{
    private static readonly JsonSerializerOptions Indented =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Text(JsonNode node) => node.ToJsonString(Indented);
}
