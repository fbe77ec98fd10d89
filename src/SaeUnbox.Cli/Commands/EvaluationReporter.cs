using SaeUnbox.Cli.Output;
using SaeUnbox.Mini.Evaluation;

namespace SaeUnbox.Cli.Commands;

/// <summary>How far an evaluation of unbox-mini is: a bar on a terminal, lines now and then elsewhere. Told by several threads.</summary>
internal sealed class EvaluationReporter(Terminal terminal, IProgress<Advance> bar) : IProgress<MiniEvaluationProgress>
{
    private readonly Lock _lock = new();
    private int _tenth = -1;
    private string _stage = "";

    public void Report(MiniEvaluationProgress value)
    {
        using var alone = _lock.EnterScope();
        bar.Report(new(value.Done, value.Total, value.Stage));
        var tenth = 10 * value.Done / value.Total;
        if (terminal.HasBars || (tenth, value.Stage) == (_tenth, _stage))
            return;
        (_tenth, _stage) = (tenth, value.Stage);
        terminal.Note($"{value.Stage} {value.Done}/{value.Total}");
    }
}
