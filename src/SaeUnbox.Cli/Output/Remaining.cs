using Spectre.Console;
using Spectre.Console.Rendering;

namespace SaeUnbox.Cli.Output;

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
