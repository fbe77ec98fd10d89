using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>What one step made of the latents.</summary>
/// <param name="Latents">The latents after the step, in the model output's dtype.</param>
/// <param name="Denoised">The clean latents (x0) as this step sees them, float32.</param>
public readonly record struct SchedulerStep(torch.Tensor Latents, torch.Tensor Denoised);

/// <summary>A sampler for a fixed number of steps. It holds no state: any step can be made again, or first.</summary>
public interface IScheduler
{
    SigmaSchedule Schedule { get; }

    /// <summary>Every step, the last included, takes a fresh noise tensor.</summary>
    bool DrawsNoise { get; }

    /// <summary>The latents as the U-Net takes them in step <paramref name="step"/>: latents / sqrt(sigma^2 + 1).</summary>
    torch.Tensor ScaleInput(torch.Tensor latents, int step);

    /// <summary>Makes step <paramref name="step"/>.</summary>
    /// <param name="modelOutput">The U-Net's output, after guidance, of the latents' shape.</param>
    /// <param name="step">Index of the step.</param>
    /// <param name="latents">The latents before the step.</param>
    /// <param name="noise">A standard normal draw of the same shape; null only where <see cref="DrawsNoise"/> is false.</param>
    SchedulerStep Step(torch.Tensor modelOutput, int step, torch.Tensor latents, torch.Tensor? noise);
}
