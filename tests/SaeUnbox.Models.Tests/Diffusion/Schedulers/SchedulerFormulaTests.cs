using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Models.Tests;

/// <summary>Samplers against their formulas, written out in float64.</summary>
public sealed class SchedulerFormulaTests
{
    private const int Train = 1000;

    private static readonly string[] Spacings = ["linspace", "leading", "trailing"];
    private static readonly string[] Predictions = ["epsilon", "v_prediction"];

    [Theory]
    [InlineData("EulerDiscreteScheduler", "linear", .0001, .02)]
    [InlineData("EulerDiscreteScheduler", "scaled_linear", .00085, .012)]
    [InlineData("EulerAncestralDiscreteScheduler", "scaled_linear", .00085, .012)]
    public void Sigmas_ZeroSnr_AreThoseOfTheRescaledBetas(string name, string schedule, double start, double end)
    {
        var roots = Alphas(schedule, start, end).Select(Math.Sqrt).ToArray();
        var shifted = roots.Select(root => (root - roots[^1]) * roots[0] / (roots[0] - roots[^1])).ToArray();
        var config = Config(name, $"\"beta_schedule\": \"{schedule}\", \"beta_start\": {start}, \"beta_end\": {end}, "
            + "\"rescale_betas_zero_snr\": true, \"timestep_spacing\": \"trailing\"");
        var sampler = new EulerScheduler(config, Train);
        var largest = 0d;
        for (var i = 0; i < Train; i++)
        {
            var t = Train - 1 - i;
            Assert.Equal(t, sampler.Timesteps[i]);
            // The last one would be infinite; diffusers takes 2^-24 for its alpha.
            var alpha = t == Train - 1 ? Math.Pow(2, -24) : shifted[t] * shifted[t];
            var sigma = Math.Sqrt((1 - alpha) / alpha);
            AssertClose(sigma, sampler.Sigmas[i], 2e-3);
            largest = Math.Max(largest, sigma);
        }
        AssertClose(4096, sampler.Sigmas[0], 1e-6);
        AssertClose(largest, sampler.InitialNoiseSigma, 2e-3);
        AssertClose(Math.Sqrt((1 - roots[0] * roots[0]) / (roots[0] * roots[0])), sampler.Sigmas[Train - 1], 1e-4);
    }

    [Fact]
    public void Sigmas_Karras_FollowTheirFormulaInEverySpacing()
    {
        var training = Alphas("scaled_linear", .00085, .012).Select(a => Math.Sqrt((1 - a) / a)).ToArray();
        foreach (var spacing in Spacings)
            foreach (var steps in (int[])[1, 2, 3, 7, 20, 50, 1000])
            {
                const string betas =
                    "\"beta_schedule\": \"scaled_linear\", \"beta_start\": 0.00085, \"beta_end\": 0.012, \"steps_offset\": 1, ";
                var plain = new EulerScheduler(Config("EulerDiscreteScheduler", $"{betas}\"timestep_spacing\": \"{spacing}\""), steps);
                var sampler = new EulerScheduler(Config("EulerDiscreteScheduler",
                    $"{betas}\"timestep_spacing\": \"{spacing}\", \"use_karras_sigmas\": true"), steps);
                var (max, min) = (plain.Sigmas[0], plain.Sigmas[steps - 1]);
                for (var i = 0; i < steps; i++)
                {
                    var ramp = steps == 1 ? 0 : i / (steps - 1d);
                    var sigma = Math.Pow(Math.Pow(max, 1 / 7d) + ramp * (Math.Pow(min, 1 / 7d) - Math.Pow(max, 1 / 7d)), 7);
                    AssertClose(sigma, sampler.Sigmas[i], 1e-5);
                    Assert.Equal(TimestepOf(sigma, training), sampler.Timesteps[i], 5e-2);
                }
                Assert.Equal(0, sampler.Sigmas[steps]);
                Assert.Equal(spacing == "leading" ? Math.Sqrt(max * max + 1) : max, sampler.InitialNoiseSigma, 1e-4);
            }
    }

    [Fact]
    public void Sigmas_KarrasWithBounds_RunFromOneToTheOther()
    {
        var sampler = new EulerScheduler(Config("EulerDiscreteScheduler",
            "\"use_karras_sigmas\": true, \"sigma_max\": 10, \"sigma_min\": 0.1, \"final_sigmas_type\": \"sigma_min\""), 5);
        AssertClose(10, sampler.Sigmas[0], 1e-6);
        AssertClose(.1, sampler.Sigmas[4], 1e-6);
    }

    [Theory]
    [InlineData("epsilon")]
    [InlineData("v_prediction")]
    [InlineData("sample")]
    public void Run_Lcm_MatchesTheFormula(string prediction)
    {
        var alphas = Alphas("scaled_linear", .00085, .012);
        foreach (var steps in (int[])[1, 2, 4, 8, 13, 50])
            foreach (var clip in (bool[])[false, true])
            {
                using var scope = torch.NewDisposeScope();
                torch.manual_seed(steps);
                var sampler = new LcmScheduler(Config("LCMScheduler",
                    $"\"prediction_type\": \"{prediction}\", \"clip_sample\": {(clip ? "true" : "false")}, \"clip_sample_range\": 0.5"),
                    steps);
                Assert.Equal(1, sampler.InitialNoiseSigma);
                var current = torch.randn([1, 4, 3, 3]);
                var exact = current.to_type(torch.float64);
                for (var i = 0; i < steps; i++)
                {
                    var t = 20 * (50 - (int)Math.Floor(i * 50d / steps)) - 1;
                    Assert.Equal(t, sampler.Timesteps[i]);
                    Assert.Equal(i < steps - 1, sampler.DrawsNoise(i));
                    TensorAssert.Same(current, sampler.ScaleInput(current, i));
                    var (output, noise) = (torch.randn([1, 4, 3, 3]), torch.randn([1, 4, 3, 3]));
                    current = sampler.Step(output, i, current, sampler.DrawsNoise(i) ? noise : null);

                    var (a, u, o) = (alphas[t], 10d * t, output.to_type(torch.float64));
                    var clean = prediction switch
                    {
                        "epsilon" => (exact - o.Times(Math.Sqrt(1 - a))).Over(Math.Sqrt(a)),
                        "v_prediction" => exact.Times(Math.Sqrt(a)) - o.Times(Math.Sqrt(1 - a)),
                        _ => o,
                    };
                    if (clip)
                        clean = clean.Between(-.5, .5);
                    exact = clean.Times(u / Math.Sqrt(u * u + .25)).Plus(exact.Times(.25 / (u * u + .25)));
                    if (i < steps - 1)
                    {
                        var next = alphas[20 * (50 - (int)Math.Floor((i + 1) * 50d / steps)) - 1];
                        exact = exact.Times(Math.Sqrt(next)).Plus(noise.to_type(torch.float64).Times(Math.Sqrt(1 - next)));
                    }
                    var off = (current.to_type(torch.float64) - exact).abs().max().item<double>();
                    Assert.True(off <= 1e-4 * exact.abs().max().item<double>(), $"{off} in step {i} of {steps}");
                    exact = current.to_type(torch.float64);
                }
            }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(51)]
    public void Lcm_StepsBeyondItsSchedule_AreRefused(int steps) => Assert.Contains("original_inference_steps",
        Assert.Throws<ModelException>(() => Scheduler.Create(Config("LCMScheduler", ""), steps)).Message);

    [Theory]
    [InlineData("DDIMScheduler", "epsilon")]
    [InlineData("DDIMScheduler", "v_prediction")]
    [InlineData("DDIMScheduler", "sample")]
    [InlineData("PNDMScheduler", "epsilon")]
    [InlineData("PNDMScheduler", "v_prediction")]
    public void Step_PredictionOfOnePicture_MovesAlongItsCurve(string name, string prediction)
    {
        var alphas = Alphas("scaled_linear", .00085, .012);
        foreach (var spacing in Spacings)
            foreach (var (steps, endsClean) in ((int, bool)[])[(1, true), (2, false), (3, true), (7, false), (50, true), (333, false)])
            {
                using var scope = torch.NewDisposeScope();
                torch.manual_seed(steps);
                var sampler = Scheduler.Create(Config(name, $"\"prediction_type\": \"{prediction}\", \"timestep_spacing\": \"{spacing}\", "
                    + "\"beta_schedule\": \"scaled_linear\", \"beta_start\": 0.00085, \"beta_end\": 0.012, \"steps_offset\": 1, "
                    + $"\"skip_prk_steps\": true, \"clip_sample\": false, \"set_alpha_to_one\": {(endsClean ? "true" : "false")}"), steps);
                Assert.Equal(1, sampler.InitialNoiseSigma);
                var (clean, noise) = (torch.randn([1, 4, 3, 3]), torch.randn([1, 4, 3, 3]));
                for (var i = 0; i < steps; i++)
                {
                    var t = spacing switch
                    {
                        "leading" => (steps - 1 - i) * (Train / steps) + 1,
                        "trailing" => (int)Math.Round(Train - i * (double)Train / steps) - 1,
                        _ => steps == 1 ? 0 : (int)Math.Round((Train - 1) * (steps - 1d - i) / (steps - 1)),
                    };
                    var next = t - Train / steps;
                    Assert.Equal(t, sampler.Timesteps[i]);
                    Assert.False(sampler.DrawsNoise(i));
                    var latents = sampler.Step(Output(alphas[t]), i, On(alphas[t]), null);
                    TensorAssert.Close(On(next >= 0 ? alphas[next] : endsClean ? 1 : alphas[0]), Scheduler.LatentsOf(latents), 1e-4);
                }

                torch.Tensor On(double a) => clean.Times(Math.Sqrt(a)).Plus(noise.Times(Math.Sqrt(1 - a)));

                torch.Tensor Output(double a) => prediction switch
                {
                    "epsilon" => noise,
                    "sample" => clean,
                    _ => noise.Times(Math.Sqrt(a)) - clean.Times(Math.Sqrt(1 - a)),
                };
            }
    }

    [Fact]
    public void Step_DdimThatClips_ClampsTheCleanLatents()
    {
        using var scope = torch.NewDisposeScope();
        var sampler = Scheduler.Create(Config("DDIMScheduler", "\"prediction_type\": \"sample\", \"clip_sample_range\": 0.5"), 1);
        TensorAssert.Close(
            torch.tensor([.5, -.5, .25]), sampler.Step(torch.tensor([3d, -3, .25]), 0, torch.tensor([3d, -3, .25]), null), 1e-6);
    }

    [Fact]
    public void Step_ZeroSnrAndKarras_FollowTheOdeStep()
    {
        foreach (var prediction in Predictions)
            foreach (var key in (string[])["rescale_betas_zero_snr", "use_karras_sigmas"])
            {
                using var scope = torch.NewDisposeScope();
                torch.manual_seed(1);
                var sampler = new EulerScheduler(Config("EulerDiscreteScheduler",
                    $"\"{key}\": true, \"prediction_type\": \"{prediction}\", \"timestep_spacing\": \"trailing\""), 4);
                for (var i = 0; i < 4; i++)
                {
                    double sigma = sampler.Sigmas[i], next = sampler.Sigmas[i + 1];
                    var (x, output) = (torch.randn([1, 4, 3, 3]).Times(sigma), torch.randn([1, 4, 3, 3]));
                    var (x64, o64) = (x.to_type(torch.float64), output.to_type(torch.float64));
                    var clean = prediction == "epsilon" ? x64 - o64.Times(sigma)
                        : x64.Over(sigma * sigma + 1) - o64.Times(sigma / Math.Sqrt(sigma * sigma + 1));
                    var expected = x64.Plus((x64 - clean).Over(sigma).Times(next - sigma));
                    var off = (sampler.Step(output, i, x, null).to_type(torch.float64) - expected).abs().max().item<double>();
                    Assert.True(off <= 1e-6 * sigma, $"{off} at {sigma}");
                }
            }
    }

    /// <summary>Cumulative products of 1 - beta.</summary>
    private static double[] Alphas(string schedule, double start, double end)
    {
        var product = 1d;
        return [.. Enumerable.Range(0, Train).Select(i => i / (Train - 1d)).Select(at => product *= 1 - (schedule == "linear"
            ? start + at * (end - start)
            : Math.Pow(Math.Sqrt(start) + at * (Math.Sqrt(end) - Math.Sqrt(start)), 2)))];
    }

    // Where log sigma lies between the logarithms of the training's noise levels.
    private static double TimestepOf(double sigma, double[] training)
    {
        for (var i = 0; i < training.Length - 1; i++)
            if (sigma <= training[i + 1])
                return Math.Max(i, i + Math.Log(sigma / training[i]) / Math.Log(training[i + 1] / training[i]));
        return training.Length - 1;
    }

    private static void AssertClose(double expected, double actual, double relative) =>
        Assert.InRange(actual, expected * (1 - relative), expected * (1 + relative));

    private static SchedulerConfig Config(string name, string entries) => SchedulerConfig.From(
        JsonConfig.Parse($$"""{"_class_name": "{{name}}"{{(entries == "" ? "" : ", " + entries)}}}""", "here.json"));
}
