using Spectre.Console;
using Spectre.Console.Rendering;

namespace SaeUnbox.Cli.Output;

/// <summary>How long something will still take: 1:23:45 or 0:42.</summary>
internal static class Remaining
{
    public static string Text(TimeSpan left) => left.TotalHours >= 1
        ? FormattableString.Invariant($"{(long)left.TotalHours}:{left:mm\\:ss} left")
        : FormattableString.Invariant($"{left:m\\:ss} left");

    /// <summary>The same beside a progress bar; nothing while it is not known.</summary>
    public sealed class Column : ProgressColumn
    {
        protected override bool NoWrap => true;

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text(task.IsFinished || task.RemainingTime is not { } left ? "" : Remaining.Text(left), new Style(Color.Blue));
    }
}
