using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// A text-to-image model whose activations can be read and changed at its sites. It encodes prompts, runs denoising steps with or without
/// hooks, and decodes latents. Not thread-safe. Returned tensors belong to the dispose scope of the caller.
/// </summary>
public interface ISteerableModel : IDisposable
{
    /// <summary>The sites in the order in which a pass runs them.</summary>
    IReadOnlyList<SiteShape> Sites { get; }

    /// <summary>The layers of the first text encoder, in their order, whose outputs hooks can read and replace.</summary>
    IReadOnlyList<SiteShape> TextSites { get; }

    /// <summary>Tokens of a prompt, including padding.</summary>
    int Tokens { get; }

    /// <summary>Default settings of a run.</summary>
    RunDefaults Defaults { get; }

    /// <summary>Side of the image over side of the latents.</summary>
    int PixelsPerCell { get; }

    /// <summary>A sentence about the part of a prompt that does not fit; null if all of it fits.</summary>
    string? WarnAbout(string prompt);

    /// <summary>Encodes the prompts and sizes of a request. With guidance, the negative prompts come first.</summary>
    /// <exception cref="ModelException">The request is not valid.</exception>
    Conditioning Encode(ImageRequest request);

    /// <summary>Prepares a run. <see cref="DenoisingRun.Denoise"/> computes its steps.</summary>
    /// <param name="request">The images to make.</param>
    /// <param name="conditioning">The result of <see cref="Encode"/> for the same prompts, size and guidance; null to encode now.</param>
    /// <exception cref="ModelException">The request is not valid.</exception>
    DenoisingRun Begin(ImageRequest request, Conditioning? conditioning = null);

    /// <summary>Adds a hook; disposing the result removes it. Hooks at the same site run in the order in which they were added.</summary>
    /// <exception cref="ModelException">The model has no such site.</exception>
    IDisposable Hook(Site site, SiteHook hook);

    /// <summary>Adds a hook at the neurons of a site's transformer; disposing the result removes it.</summary>
    /// <exception cref="ModelException">The model has no such site.</exception>
    IDisposable HookNeurons(Site site, NeuronHook hook);

    /// <summary>Adds a hook at a layer of the text encoder, which <see cref="Encode"/> runs; disposing the result removes it.</summary>
    /// <exception cref="ModelException">The model has no such layer.</exception>
    IDisposable HookText(Site site, TextHook hook);

    /// <summary>Runs a forward pass and captures the state at each site in <paramref name="capture"/>.</summary>
    /// <param name="stop">Stops after the last of these sites and its hooks. The output is then null.</param>
    UNetRun Run(DenoisingInput input, IReadOnlyCollection<Site> capture, bool stop = false, CancellationToken cancellation = default);

    /// <summary>
    /// Resumes from a captured state with the current hooks. The result is bitwise equal to a whole pass with these hooks.
    /// </summary>
    /// <returns>The prediction, [B, C, h, w].</returns>
    Tensor Resume(UNetState state, CancellationToken cancellation = default);

    /// <summary>Decodes latents [B, C, h, w] to images [B, 3, H, W] from 0 to 1, float32.</summary>
    Tensor Decode(Tensor latents, CancellationToken cancellation = default);
}

/// <summary>
/// Gets the output of a layer of the text encoder, [B, L, D], and returns the tensor that replaces it: the output itself, or a new one of
/// the same shape and type. It must not write into its argument.
/// </summary>
/// <param name="isNegative">Whether these are the negative prompts of guidance. Where those are zeros, they are not encoded.</param>
public delegate Tensor TextHook(Tensor output, bool isNegative);

/// <summary>Default settings of a run.</summary>
/// <param name="Steps">Number of denoising steps.</param>
/// <param name="Guidance">Scale of classifier-free guidance; 0 turns it off.</param>
/// <param name="Side">Width and height in pixels.</param>
public sealed record RunDefaults(int Steps, double Guidance, int Side);

/// <summary>Loads models and finds their sites.</summary>
public static class SteerableModels
{
    /// <summary>Loads a model folder in the layout of diffusers, or a one-file checkpoint.</summary>
    /// <exception cref="ModelException">The path, a configuration or an option is not usable.</exception>
    /// <exception cref="CheckpointException">Weights are missing, damaged, or do not match the configuration.</exception>
    public static ISteerableModel Load(string path, PipelineOptions? options = null) => DiffusionPipeline.Load(path, options);

    /// <summary>Channels of the widest level of a model's U-Net. Reads no weights.</summary>
    /// <exception cref="ModelException">The path, the configuration or an option is not usable.</exception>
    /// <exception cref="CheckpointException">The weights cannot be opened.</exception>
    public static int WidthOf(string path, PipelineOptions? options = null)
    {
        using var model = ModelParts.Open(path, options ?? new());
        using var part = model.Open("unet", preferHalf: false);
        return UNetConfig.From(part.Config).Levels.Max(level => level.Channels);
    }

    /// <summary>The tokenizers of a model, a folder or one file, by their names; of the folder of one tokenizer, that tokenizer.</summary>
    /// <param name="tokenizerFolder"><inheritdoc cref="PipelineOptions.TokenizerFolder" path="/summary/node()"/></param>
    /// <exception cref="ModelException">The model or a tokenizer is not usable.</exception>
    /// <exception cref="CheckpointException">The file is broken.</exception>
    public static IReadOnlyList<(string Name, ClipTokenizer Tokenizer)> Tokenizers(
        string path, TextCleaning cleaning = TextCleaning.Ftfy, string? tokenizerFolder = null)
    {
        if (File.Exists(path) || tokenizerFolder is not null)
        {
            using var model = ModelParts.Open(path, new() { TokenizerFolder = tokenizerFolder });
            return [.. model.Family.Tokenizers.Select(name => (name, model.Tokenizer(name, cleaning)))];
        }
        var parts = ModelFamily.Sdxl.Tokenizers.Select(name => Path.Combine(path, name)).Where(Directory.Exists).ToArray();
        string[] folders = parts.Length > 0 ? parts : [Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))];
        return [.. folders.Select(folder => (Path.GetFileName(folder), ClipTokenizer.Load(folder, cleaning)))];
    }

    /// <summary>Index of a site in the sites of the model; -1 if the model has no such site.</summary>
    public static int OrderOf(this ISteerableModel model, Site site)
    {
        for (var i = 0; i < model.Sites.Count; i++)
        {
            if (model.Sites[i].Site == site)
                return i;
        }

        return -1;
    }

    /// <summary>The sites that are known for something, in the order in which a pass runs them.</summary>
    public static IReadOnlyList<Site> KnownSites(this ISteerableModel model) =>
        [.. model.Sites.Where(shape => shape.Nickname is not null).Select(shape => shape.Site)];

    /// <summary>Finds the shape of a site.</summary>
    /// <exception cref="ModelException">The model has no such site.</exception>
    public static SiteShape ShapeOf(this ISteerableModel model, Site site) =>
        SiteShape.Find(site.IsText ? model.TextSites : model.Sites, site);
}

/// <summary>
/// A model folder, configuration or request is not usable. The message is one sentence that says what is wrong and where.
/// </summary>
public sealed class ModelException(string message, Exception? inner = null) : Exception(message, inner);
