using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Euler steps that go below the next noise level and come back up with fresh noise:
/// sigma_up^2 = to^2 (from^2 - to^2) / from^2, sigma_down^2 = to^2 - sigma_up^2.
/// </summary>
internal sealed class EulerAncestralDiscreteScheduler(SigmaSchedule schedule) : IScheduler
{
    public SigmaSchedule Schedule => schedule;

    public bool DrawsNoise => true;

    public Tensor ScaleInput(Tensor latents, int step) => EulerStep.ScaleInput(schedule, latents, step);

    public SchedulerStep Step(Tensor modelOutput, int step, Tensor latents, Tensor? noise)
    {
        ArgumentNullException.ThrowIfNull(noise);
        using var scope = NewDisposeScope();
        var (from, to) = (schedule.Sigmas[step], schedule.Sigmas[step + 1]);
        var up = MathF.Sqrt(to * to * (from * from - to * to) / (from * from));
        var down = MathF.Sqrt(to * to - up * up);
        var (moved, denoised) = EulerStep.Move(schedule, modelOutput, step, latents, down);
        return new SchedulerStep(
            moved.Plus(noise.to_type(ScalarType.Float32).Times(up)).to_type(modelOutput.dtype).MoveToOuterDisposeScope(),
            denoised.MoveToOuterDisposeScope());
    }
}
