using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Deterministic Euler steps along the probability-flow ODE (algorithm 2 of arXiv 2206.00364 without churn).</summary>
internal sealed class EulerDiscreteScheduler(SigmaSchedule schedule) : IScheduler
{
    public SigmaSchedule Schedule => schedule;

    public bool DrawsNoise => false;

    public Tensor ScaleInput(Tensor latents, int step) => EulerStep.ScaleInput(schedule, latents, step);

    public SchedulerStep Step(Tensor modelOutput, int step, Tensor latents, Tensor? noise)
    {
        using var scope = NewDisposeScope();
        var (moved, denoised) = EulerStep.Move(schedule, modelOutput, step, latents, schedule.Sigmas[step + 1]);
        return new SchedulerStep(
            moved.to_type(modelOutput.dtype).MoveToOuterDisposeScope(),
            denoised.MoveToOuterDisposeScope());
    }
}
