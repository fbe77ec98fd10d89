namespace SaeUnbox.Models;

/// <summary>The noise levels of the training timesteps, in float32 as in diffusers.</summary>
internal static class NoiseSchedule
{
    // What diffusers puts in place of the last cumulative alpha, which is 0, so that sigma stays finite (4,096).
    private const float SmallestAlpha = 1f / (1 << 24);

    /// <summary>sqrt((1 - a) / a) of each training timestep.</summary>
    public static float[] Sigmas(SchedulerConfig config)
    {
        var alphas = CumulativeAlphas(config);
        if (config.ZeroSnr)
            alphas[^1] = SmallestAlpha;
        return Array.ConvertAll(alphas, a => MathF.Sqrt((1f - a) / a));
    }

    /// <summary>Cumulative products of 1 - beta over the training timesteps.</summary>
    public static float[] CumulativeAlphas(SchedulerConfig config)
    {
        var betas = config.ScaledLinear
            ? Linspace((float)Math.Sqrt(config.BetaStart), (float)Math.Sqrt(config.BetaEnd), config.TrainTimesteps)
            : Linspace((float)config.BetaStart, (float)config.BetaEnd, config.TrainTimesteps);
        if (config.ScaledLinear)
            betas = Array.ConvertAll(betas, beta => beta * beta);
        return Products(config.ZeroSnr ? RescaleToZeroSnr(betas) : betas);
    }

    private static float[] Products(float[] betas)
    {
        var product = 1d;
        return Array.ConvertAll(betas, beta => (float)(product *= 1f - beta));
    }

    /// <summary>
    /// Betas whose last cumulative alpha is 0 and whose first one stays: sqrt(a) is shifted and scaled (arXiv 2305.08891, algorithm 1).
    /// </summary>
    private static float[] RescaleToZeroSnr(float[] betas)
    {
        var roots = Array.ConvertAll(Products(betas), MathF.Sqrt);
        var (first, last) = (roots[0], roots[^1]);
        var alphas = Array.ConvertAll(roots, root => (root - last) * (first / (first - last)) is var scaled ? scaled * scaled : 0);
        return [.. alphas.Select((alpha, i) => 1f - (i == 0 ? alpha : alpha / alphas[i - 1]))];
    }

    // As torch.linspace does, counts the second half from the end.
    private static float[] Linspace(float start, float end, int count)
    {
        var step = (end - start) / (count - 1);
        var values = new float[count];
        for (var i = 0; i < count; i++)
            values[i] = i < count / 2 ? start + step * i : end - step * (count - i - 1);
        return values;
    }

    /// <summary>The timesteps of a run, latest first.</summary>
    public static double[] Timesteps(SchedulerConfig config, int steps)
    {
        var train = config.TrainTimesteps;
        return [.. Enumerable.Range(0, steps).Select(i => config.Spacing switch
        {
            TimestepSpacing.Leading => (steps - 1 - i) * (train / steps) + config.StepsOffset,
            TimestepSpacing.Trailing => Math.Round(train - i * ((double)train / steps), MidpointRounding.ToEven) - 1,
            _ => steps == 1 ? 0 : (train - 1d) / (steps - 1) * (steps - 1 - i),
        })];
    }

    /// <summary>The timesteps of a run, rounded to training timesteps.</summary>
    /// <exception cref="ModelException">steps_offset moves the first one beyond the training timesteps.</exception>
    public static int[] WholeTimesteps(SchedulerConfig config, int steps)
    {
        var timesteps = Array.ConvertAll(Timesteps(config, steps), t => (int)Math.Round(t, MidpointRounding.ToEven));
        return timesteps[0] < config.TrainTimesteps ? timesteps : throw new ModelException(
            $"With {steps} steps and steps_offset {config.StepsOffset} of the scheduler, the first timestep is {timesteps[0]}, but the "
            + $"model was trained on 0 to {config.TrainTimesteps - 1}; take fewer steps.");
    }

    /// <summary>The cumulative alpha of the timestep that a step leads to. Below 0 it is 1, or that of timestep 0.</summary>
    public static double AlphaAfter(SchedulerConfig config, float[] alphas, int timestep) =>
        timestep >= 0 ? alphas[timestep] : config.EndsClean ? 1 : alphas[0];

    // numpy.interp over 0, 1, 2, …: computed in double, clamped at the ends.
    public static double Interpolate(float[] values, double at)
    {
        if (at <= 0)
            return values[0];
        var left = (int)at;
        return left >= values.Length - 1 ? values[^1] : values[left] + (at - left) * ((double)values[left + 1] - values[left]);
    }
}

/// <summary>The noise levels of arXiv 2206.00364, equation 5, which are dense where noise is low.</summary>
internal static class KarrasSigmas
{
    private const double Rho = 7;

    /// <summary>(max^(1/7) + i / (n - 1) * (min^(1/7) - max^(1/7)))^7 for i from 0 to n - 1.</summary>
    public static double[] Between(double max, double min, int count)
    {
        var (first, last) = (Math.Pow(max, 1 / Rho), Math.Pow(min, 1 / Rho));
        return [.. Enumerable.Range(0, count)
            .Select(i => Math.Pow(first + (count == 1 ? 0 : (double)i / (count - 1)) * (last - first), Rho))];
    }

    /// <summary>The timestep at which training has this noise level, by interpolation between logarithms.</summary>
    /// <param name="sigma">A noise level above 0.</param>
    /// <param name="training">The noise levels of the training timesteps, in ascending order.</param>
    public static double TimestepOf(double sigma, float[] training)
    {
        var low = Math.Clamp(Array.FindLastIndex(training, level => Math.Log(level) <= Math.Log(sigma)), 0, training.Length - 2);
        var (below, above) = (Math.Log(training[low]), Math.Log(training[low + 1]));
        return low + Math.Clamp((Math.Log(sigma) - below) / (above - below), 0, 1);
    }
}
