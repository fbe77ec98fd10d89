using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>The arithmetic both Euler samplers share, in float32.</summary>
internal static class EulerStep
{
    /// <summary>latents / sqrt(sigma^2 + 1), in the latents' dtype.</summary>
    public static Tensor ScaleInput(SigmaSchedule schedule, Tensor latents, int step)
    {
        var sigma = schedule.Sigmas[step];
        return latents.Over(MathF.Sqrt(sigma * sigma + 1f));
    }

    /// <summary>x + (x - x0) / sigma * (target - sigma), and x0.</summary>
    public static (Tensor Moved, Tensor Denoised) Move(SigmaSchedule schedule, Tensor modelOutput, int step, Tensor latents, float target)
    {
        var sigma = schedule.Sigmas[step];
        var x = latents.to_type(ScalarType.Float32);
        var output = modelOutput.to_type(ScalarType.Float32);
        var squared = sigma * sigma + 1f;
        var denoised = schedule.Config.Prediction switch
        {
            PredictionType.Epsilon => x - output.Times(sigma),
            PredictionType.VPrediction => output.Times(-sigma / MathF.Sqrt(squared)).Plus(x.Over(squared)),
            _ => output.alias(),
        };
        return (x.Plus((x - denoised).Over(sigma).Times(target - sigma)), denoised);
    }
}
