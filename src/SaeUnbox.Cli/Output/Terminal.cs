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
    public T WithProgress<T>(string title, Func<LongWork, T> work) =>
        WithProgressAsync(title, progress => Task.FromResult(work(progress))).GetAwaiter().GetResult();

    /// <inheritdoc cref="WithProgress{T}"/>
    public void WithProgress(string title, Action<LongWork> work) => WithProgress(title, progress =>
    {
        work(progress);
        return true;
    });

    /// <inheritdoc cref="WithProgress{T}"/>
    public Task<T> WithProgressAsync<T>(string title, Func<LongWork, Task<T>> work) => bars is null
        ? work(new LongWork(this, null))
        : bars.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new Remaining.Column(),
                new SpinnerColumn())
            .StartAsync(context =>
            {
                var task = context.AddTask(Markup.Escape(title), maxValue: 1);
                task.IsIndeterminate = true;
                return work(new LongWork(this, task));
            });
}

/// <summary>Reports the progress of long work: on a progress bar, or without one in a line from time to time.</summary>
internal sealed class LongWork(Terminal terminal, ProgressTask? bar)
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
        if (bar is not null)
            Show(done, total, what());
        else if (Stopwatch.GetElapsedTime(_noted) >= terminal.NoteInterval)
        {
            _noted = Stopwatch.GetTimestamp();
            terminal.Note(FormattableString.Invariant($"{what()}; {done:0} of {total:0}{Left(done, total)}"));
        }
    }

    /// <param name="share">The finished share of the work, 0 to 1.</param>
    public void Report(double share, string what) => Report(Math.Round(100 * share), 100, () => what);

    /// <summary>Moves the bar, if there is one, and never writes a line.</summary>
    /// <param name="total">0 if unknown.</param>
    /// <param name="title">The current step; null if unchanged.</param>
    public void Show(double done, double total, string? title = null)
    {
        if (bar is null)
            return;
        bar.IsIndeterminate = total <= 0;
        bar.Value = total > 0 ? done / total : 0;
        if (title is not null)
            bar.Description = Markup.Escape(title);
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

/// <summary>Writes JSON documents: of nodes, or of objects by their properties.</summary>
internal static class Json
{
    private static readonly JsonSerializerOptions Compact =
        new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonSerializerOptions Indented = new(Compact) { WriteIndented = true };

    /// <summary>The indented document of <c>--json</c>.</summary>
    public static string Text(object document) => JsonSerializer.Serialize(document, Indented);

    public static void Write(Stream stream, object document) => JsonSerializer.Serialize(stream, document, Compact);

    public static JsonNode Node(object value) => JsonSerializer.SerializeToNode(value, Compact)!;
}
