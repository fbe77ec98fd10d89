using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// A text-to-image model that can be read and changed at its sites: encode a prompt, begin a run, predict its steps with or without
/// hooks, decode. Used by one thread at a time; the tensors it returns belong to the caller's dispose scope.
/// </summary>
public interface ISteerableModel : IDisposable
{
    /// <summary>The sites, in the order a pass reaches them.</summary>
    IReadOnlyList<SiteShape> Sites { get; }

    /// <summary>Settings to start with if nobody chooses others.</summary>
    RunDefaults Defaults { get; }

    /// <summary>Side of the square of pixels that one cell of the latents covers.</summary>
    int PixelsPerCell { get; }

    /// <summary>Says what the model will not read of a prompt, in one sentence; null if it reads all of it.</summary>
    string? WarnAbout(string prompt);

    /// <summary>Encodes the prompts of a request; under guidance the negative prompts come first.</summary>
    /// <exception cref="ModelException">The request cannot be used.</exception>
    Conditioning Encode(ImageRequest request);

    /// <summary>Prepares a run; <see cref="DenoisingRun.Denoise"/> makes its steps.</summary>
    /// <param name="request">What to make.</param>
    /// <param name="conditioning">The result of <see cref="Encode"/> for the same prompts, size and guidance; null to encode here.</param>
    /// <exception cref="ModelException">The request cannot be used.</exception>
    DenoisingRun Begin(ImageRequest request, Conditioning? conditioning = null);

    /// <summary>Sets a hook until the returned scope is disposed. Several hooks at one site run in the order they were set.</summary>
    /// <exception cref="ModelException">The model has no such site.</exception>
    IDisposable Hook(HookSite site, SiteHook hook);

    /// <summary>Makes one prediction and captures the state before each of the sites in <paramref name="capture"/>.</summary>
    /// <param name="stop">Stop after the last captured site and its hooks; the output is then null.</param>
    UNetRun Run(DenoisingInput input, IReadOnlyCollection<HookSite> capture, bool stop = false, CancellationToken cancellation = default);

    /// <summary>Goes on from a captured state with the hooks set now, and gives the same bits as a whole pass with these hooks.</summary>
    /// <returns>The prediction, [B, C, h, w].</returns>
    Tensor Resume(UNetState state, CancellationToken cancellation = default);

    /// <summary>Decodes latents to pictures, [B, 3, H, W] float32 from 0 to 1.</summary>
    Tensor Decode(Tensor latents, CancellationToken cancellation = default);
}

/// <summary>The settings a model is best run with.</summary>
/// <param name="Steps">Denoising steps.</param>
/// <param name="Guidance">Scale of classifier-free guidance; 0 turns it off.</param>
/// <param name="Side">Width and height in pixels.</param>
public sealed record RunDefaults(int Steps, double Guidance, int Side);

public static class SteerableModels
{
    /// <summary>Loads a model folder in diffusers' layout.</summary>
    /// <exception cref="ModelException">The folder, a configuration or an option cannot be used.</exception>
    /// <exception cref="CheckpointException">Weights are missing, broken, or do not fit the configuration.</exception>
    public static ISteerableModel Load(string folder, SdxlPipelineOptions? options = null) => SdxlPipeline.Load(folder, options);

    /// <summary>The place of a site among the model's sites, in the order a pass reaches them; -1 if the model has no such site.</summary>
    public static int OrderOf(this ISteerableModel model, HookSite site)
    {
        for (var i = 0; i < model.Sites.Count; i++)
        {
            if (model.Sites[i].Site == site)
                return i;
        }

        return -1;
    }

    /// <summary>Finds the shape of a site.</summary>
    /// <exception cref="ModelException">The model has no such site.</exception>
    public static SiteShape ShapeOf(this ISteerableModel model, HookSite site) => model.Sites.FirstOrDefault(shape => shape.Site == site)
        ?? throw new ModelException($"The model has no site {site}; its sites are {string.Join(", ", model.Sites.Select(shape => shape.Site))}.");
}
