namespace SaeUnbox.Models;

/// <summary>Models that have the same parts and make conditioning from a prompt alike.</summary>
/// <param name="Name">As users know it.</param>
/// <param name="Pipeline">The class of diffusers that runs it.</param>
/// <param name="TextEncoders">Folders of the text encoders, in the order in which their states are put side by side.</param>
/// <param name="Tokenizers">Folders of their tokenizers.</param>
/// <param name="ZerosForEmptyPrompt">Without a negative prompt, guidance takes zeros for it unless model_index.json says otherwise.</param>
/// <param name="Steps">Usual number of steps of a model that is not made for few.</param>
/// <param name="Guidance">Its usual scale of guidance.</param>
/// <param name="Nicknames">What sites are known for.</param>
internal sealed record ModelFamily(
    string Name, string Pipeline, IReadOnlyList<string> TextEncoders, IReadOnlyList<string> Tokenizers, bool ZerosForEmptyPrompt,
    int Steps, double Guidance, IReadOnlyDictionary<Site, string> Nicknames)
{
    /// <summary>
    /// SDXL and SDXL Turbo: two text encoders, pooled text and sizes of the image. Sites are known from arXiv 2410.22366.
    /// </summary>
    public static ModelFamily Sdxl { get; } = new(
        "SDXL", "StableDiffusionXLPipeline", ["text_encoder", "text_encoder_2"], ["tokenizer", "tokenizer_2"], ZerosForEmptyPrompt: true,
        Steps: 25, Guidance: 8, new Dictionary<Site, string>
        {
            [Site.Composition] = "composition",
            [Site.Middle] = "middle",
            [Site.Details] = "details",
            [Site.Style] = "style",
        });

    /// <summary>SD 1.x, SD 2.x and SD-Turbo: one text encoder. Sites are known from arXiv 2501.18052 (SAeUron, on SD 1.5).</summary>
    public static ModelFamily Sd { get; } = new(
        "SD", "StableDiffusionPipeline", ["text_encoder"], ["tokenizer"], ZerosForEmptyPrompt: false,
        Steps: 50, Guidance: 7.5, new Dictionary<Site, string> { [Site.Up(1, 1)] = "objects", [Site.Up(1, 2)] = "style" });

    /// <summary>The networks that a pipeline consists of, by their folders.</summary>
    public IReadOnlyList<string> Networks => [.. TextEncoders, "unet", "vae"];

    /// <summary>The family of a U-Net.</summary>
    public static ModelFamily Of(UNetConfig config) => config.Addition is null ? Sd : Sdxl;

    /// <summary>The configuration that the pipeline of diffusers makes of its scheduler's.</summary>
    public SchedulerConfig Adapt(SchedulerConfig scheduler) =>
        this == Sd ? scheduler with { StepsOffset = 1, ClipRange = null } : scheduler;

    /// <summary>The family of a pipeline.</summary>
    /// <param name="index">Its model_index.json.</param>
    /// <exception cref="ModelException">Its class is of no known family.</exception>
    public static ModelFamily Of(JsonConfig index) => index.Text("_class_name") switch
    {
        var kind when kind.StartsWith("StableDiffusionXL", StringComparison.Ordinal) => Sdxl,
        "StableDiffusionPipeline" or "StableDiffusionImg2ImgPipeline" => Sd,
        var other => throw index.Wrong("_class_name", $"{Sdxl.Pipeline} or {Sd.Pipeline}, but is \"{other}\", which is not supported"),
    };
}
