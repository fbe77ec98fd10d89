using TorchSharp;

namespace SaeUnbox.Models.Tests;

public sealed class SchedulerConfigTests
{
    private const string Euler = "EulerDiscreteScheduler";
    private const string Ancestral = "EulerAncestralDiscreteScheduler";

    [Theory]
    [InlineData("\"use_exponential_sigmas\": true", "use_exponential_sigmas")]
    [InlineData("\"use_beta_sigmas\": true", "use_beta_sigmas")]
    [InlineData("\"rescale_betas_zero_snr\": 1", "rescale_betas_zero_snr")]
    [InlineData("\"sigma_max\": 0", "sigma_max")]
    [InlineData("\"trained_betas\": [0.1]", "trained_betas")]
    [InlineData("\"interpolation_type\": \"log_linear\"", "interpolation_type")]
    [InlineData("\"beta_schedule\": \"squaredcos_cap_v2\"", "beta_schedule")]
    [InlineData("\"timestep_spacing\": \"sideways\"", "timestep_spacing")]
    [InlineData("\"prediction_type\": \"flow\"", "prediction_type")]
    [InlineData("\"num_train_timesteps\": 0", "num_train_timesteps")]
    [InlineData("\"num_train_timesteps\": \"many\"", "num_train_timesteps")]
    [InlineData("\"beta_start\": 0", "beta_start")]
    [InlineData("\"steps_offset\": -1", "steps_offset")]
    public void From_UnsupportedValue_NamesFileAndKey(string entry, string key)
    {
        var error = Assert.Throws<ModelException>(() => Config(Euler, entry));
        Assert.Contains("here.json", error.Message);
        Assert.Contains(key, error.Message);
    }

    [Theory]
    [InlineData("original_inference_steps", "0")]
    [InlineData("original_inference_steps", "1001")]
    [InlineData("timestep_scaling", "0")]
    [InlineData("thresholding", "true")]
    [InlineData("rescale_betas_zero_snr", "true")]
    public void From_ValueUnusableForLcm_NamesIt(string key, string value) =>
        Assert.Contains(key, Assert.Throws<ModelException>(() => Config("LCMScheduler", $"\"{key}\": {value}")).Message);

    [Theory]
    [InlineData("DDIMScheduler", "\"rescale_betas_zero_snr\": true", "rescale_betas_zero_snr")]
    [InlineData("DDIMScheduler", "\"thresholding\": true", "thresholding")]
    [InlineData("PNDMScheduler", "", "skip_prk_steps")]
    [InlineData("PNDMScheduler", "\"skip_prk_steps\": true, \"prediction_type\": \"sample\"", "prediction_type")]
    public void From_ValueThatTheSamplerCannotUse_NamesIt(string name, string entry, string key) =>
        Assert.Contains(key, Assert.Throws<ModelException>(() => Config(name, entry)).Message);

    [Theory]
    [InlineData("DDIMScheduler")]
    [InlineData("PNDMScheduler")]
    public void Create_FirstTimestepBeyondTraining_IsRefused(string name)
    {
        var config = Config(name, "\"skip_prk_steps\": true, \"steps_offset\": 1");
        Assert.Equal(999, Scheduler.Create(config, 500).Timesteps[0]);
        Assert.Contains("steps_offset 1", Assert.Throws<ModelException>(() => Scheduler.Create(config, 1000)).Message);
    }

    [Theory]
    [InlineData("DPMSolverMultistepScheduler")]
    [InlineData("HeunDiscreteScheduler")]
    [InlineData("UniPCMultistepScheduler")]
    [InlineData("FlowMatchEulerDiscreteScheduler")]
    [InlineData("TCDScheduler")]
    public void From_OtherClass_NamesItAndTheKnownOnes(string name)
    {
        var message = Assert.Throws<ModelException>(() => Config(name, "\"use_karras_sigmas\": true")).Message;
        Assert.Contains($"\"{name}\", which is not supported", message);
        Assert.Contains($"{Euler}, {Ancestral}, LCMScheduler, DDIMScheduler, PNDMScheduler", message);
        Assert.Contains("--scheduler DIR", message);
    }

    [Fact]
    public void From_KeysOfOtherSamplers_AreIgnored()
    {
        var plain = Config(Ancestral, "");
        Assert.Equal(plain, Config(Ancestral, "\"use_karras_sigmas\": true, \"interpolation_type\": \"log_linear\", \"later\": [1]"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1001)]
    public void Scheduler_StepsOutOfRange_IsRefused(int steps) =>
        Assert.Contains($"is {steps}", Assert.Throws<ModelException>(() => new EulerScheduler(Config(Euler, ""), steps)).Message);

    [Fact]
    public void Scheduler_Linspace_RunsFromTheLastTimestepToZero()
    {
        var schedule = new EulerScheduler(Config(Euler, "\"timestep_spacing\": \"linspace\""), 5);
        Assert.Equal([999f, 749.25f, 499.5f, 249.75f, 0f], schedule.Timesteps);
        Assert.Equal(schedule.Sigmas.Max(), schedule.InitialNoiseSigma);
    }

    [Fact]
    public void Scheduler_AnyNumberOfSteps_HasFallingTimesteps()
    {
        foreach (var spacing in (string[])["linspace", "leading", "trailing"])
        {
            var config = Config(Euler, $"\"timestep_spacing\": \"{spacing}\"");
            for (var steps = 1; steps <= 1000; steps += 37)
            {
                var schedule = new EulerScheduler(config, steps);
                Assert.Equal(steps, schedule.Timesteps.Count);
                Assert.All(schedule.Timesteps.Zip(schedule.Timesteps.Skip(1)), p => Assert.True(p.First > p.Second));
                Assert.All(schedule.Sigmas.Zip(schedule.Sigmas.Skip(1)), p => Assert.True(p.First > p.Second));
            }
        }
    }

    [Fact]
    public void Scheduler_FinalSigmaMin_EndsAtTheSmallestTrainingSigma()
    {
        var config = Config(Euler, "\"final_sigmas_type\": \"sigma_min\"");
        var schedule = new EulerScheduler(config, 3);
        var smallest = NoiseSchedule.CumulativeAlphas(config)[0];
        Assert.Equal(Math.Sqrt((1 - smallest) / smallest), schedule.Sigmas[^1], 1e-6);
    }

    [Fact]
    public void Step_VelocityAndEpsilonOfTheSameImage_Agree()
    {
        using var scope = torch.NewDisposeScope();
        var (epsilon, velocity) =
            (new EulerScheduler(Config(Euler, ""), 4), new EulerScheduler(Config(Euler, "\"prediction_type\": \"v_prediction\""), 4));
        var sigma = epsilon.Sigmas[1];
        var clean = torch.randn([1, 4, 2, 3]);
        var noise = torch.randn([1, 4, 2, 3]);
        var latents = clean.Plus(noise.Times(sigma));

        // v = (noise - sigma * clean) / sqrt(sigma^2 + 1), the velocity of the variance-preserving form.
        var v = (noise - clean.Times(sigma)).Over(Math.Sqrt(sigma * sigma + 1));
        var expected = epsilon.Step(noise, 1, latents, null);
        var actual = velocity.Step(v, 1, latents, null);
        Testing.TensorAssert.Close(expected, actual, 1e-3);
    }

    [Fact]
    public void Step_SamplePrediction_MovesTowardsTheOutput()
    {
        using var scope = torch.NewDisposeScope();
        var scheduler = new EulerScheduler(Config(Euler, "\"prediction_type\": \"sample\""), 1);
        var clean = torch.randn([1, 4, 2, 3]);
        var step = scheduler.Step(clean, 0, torch.randn([1, 4, 2, 3]), null);
        Testing.TensorAssert.Close(clean, step, 1e-5);
    }

    [Fact]
    public void Step_LastAncestralStep_AddsNoNoise()
    {
        using var scope = torch.NewDisposeScope();
        var scheduler = new EulerScheduler(Config(Ancestral, ""), 1);
        var (output, latents) = (torch.randn([1, 4, 2, 3]), torch.randn([1, 4, 2, 3]));
        var one = scheduler.Step(output, 0, latents, torch.zeros([1, 4, 2, 3]));
        var other = scheduler.Step(output, 0, latents, torch.ones([1, 4, 2, 3]));
        Testing.TensorAssert.Same(one, other);
    }

    [Fact]
    public void Step_HalfModelOutput_GivesLatentsOfItsDType()
    {
        using var scope = torch.NewDisposeScope();
        var output = torch.randn([1, 4, 2, 3]).to_type(torch.ScalarType.BFloat16);
        var step = new EulerScheduler(Config(Euler, ""), 2).Step(output, 0, output, null);
        Assert.Equal(torch.ScalarType.BFloat16, step.dtype);
    }

    private static SchedulerConfig Config(string className, string entry) =>
        SchedulerConfig.From(JsonConfig.Parse($$"""{"_class_name": "{{className}}"{{(entry == "" ? "" : ", " + entry)}}}""", "here.json"));
}
