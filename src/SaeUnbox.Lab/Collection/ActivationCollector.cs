using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Runs a model on captions and keeps what blocks add to their input: the data that sparse autoencoders are trained on. In the
/// last step nothing behind the last wanted site is computed, and nothing is ever decoded.
/// </summary>
public static class ActivationCollector
{
    /// <summary>Fills a folder, going on behind what it holds already.</summary>
    /// <exception cref="SaeException">The request cannot be made, or the folder holds another collection.</exception>
    /// <exception cref="ModelException">The model has no such site or cannot make such pictures.</exception>
    /// <exception cref="CheckpointException">The disk is full.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; every finished item is stored.</exception>
    public static CollectionOutcome Run(
        LoadedModel model, CollectionRequest request, string folder, IProgress<CollectionProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        request.Validate();
        model.UseThreads();
        foreach (var site in request.Sites) model.Pipeline.UNet.SiteOf(site.Code);
        var (first, end) = (request.Share.First * (long)request.Steps, request.Share.End * (long)request.Steps);
        using var writer = new CollectionWriter(folder, request.Sites, request.Storage with { FirstItem = first });
        new CollectionSettings(
            model.Info.Name, model.Fingerprint, model.Dtype, request.Steps, request.Guidance > 1 ? request.Guidance : 0, request.Width, request.Height).Claim(folder);
        CollectedCaptions.Claim(folder, request.Captions);

        using var mode = no_grad();
        try
        {
            while (writer.NextItem < end && !writer.IsFull)
            {
                Collect(model, request, writer, cancellation);
                progress?.Report(new(Done(), end - first, writer.BytesWritten));
            }
        }
        catch (OperationCanceledException)
        {
            writer.Complete();
            throw;
        }
        writer.Complete();
        return new CollectionOutcome(Done(), end - first, writer.BytesWritten, writer.IsFull);

        long Done() => Math.Min(writer.NextItem, end) - first;
    }

    // The next few captions together. What the writer has already, or has no room for, is passed over.
    private static void Collect(LoadedModel model, CollectionRequest request, CollectionWriter writer, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var next = (int)(writer.NextItem / request.Steps);
        var captions = request.Captions.Skip(next).Take(Math.Min(request.Pictures, request.Share.End - next)).ToArray();
        var items = Differences(model, request, captions, cancellation);
        foreach (var (item, differences) in items.Select((differences, index) => (next * (long)request.Steps + index, differences)))
            if (item == writer.NextItem && !writer.IsFull) writer.Add(item, differences);
    }

    // Ordered by caption, then by step.
    private static IEnumerable<Dictionary<HookSite, Tensor>> Differences(
        LoadedModel model, CollectionRequest request, Caption[] captions, CancellationToken cancellation)
    {
        var unet = model.Pipeline.UNet;
        var last = unet.Sites.Select(site => site.Code).Last(code => request.Sites.Any(site => site.Code == code));
        using var run = model.Pipeline.Begin(new ImageRequest
        {
            Prompts = [.. captions.Select(caption => caption.Text)],
            Seeds = [.. captions.Select(caption => caption.Seed)],
            Steps = request.Steps,
            Guidance = request.Guidance,
            Width = request.Width,
            Height = request.Height,
        });
        using var tap = new SiteTap(unet, request.Sites, captions.Length, run.Request.IsGuided);
        var steps = new List<Dictionary<HookSite, Tensor>[]>(request.Steps);
        var latents = run.StartLatents();
        foreach (var step in run.Denoise(cancellation: cancellation).Take(request.Steps - 1))
        {
            steps.Add(Taken());
            latents = step.After;
        }

        var input = run.InputOf(request.Steps - 1, latents);
        using (unet.Run(input.Sample, input.Timestep, input.Conditioning, [last], stop: true, cancellation)) steps.Add(Taken());
        return Enumerable.Range(0, captions.Length).SelectMany(picture => steps.Select(step => step[picture]));

        Dictionary<HookSite, Tensor>[] Taken() => [.. Enumerable.Range(0, captions.Length).Select(tap.Of)];
    }
}
