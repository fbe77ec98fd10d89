using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>What a site did in the cells of pictures whose truth is known.</summary>
/// <param name="Outputs">The block's output, [cells, d] float32.</param>
/// <param name="Codes">The features, [cells, k].</param>
/// <param name="Maps">The same, picture by picture.</param>
internal sealed record SiteCells(Site Site, Tensor Outputs, SparseCodes Codes, IReadOnlyList<SiteActivations> Maps);

/// <summary>Pictures whose truth is known, and what each site did in them.</summary>
internal sealed class KnownCells : IDisposable
{
    private const int Batch = 10;

    private KnownCells(IReadOnlyList<KnownPicture> pictures, IReadOnlyDictionary<Site, SiteCells> sites) =>
        (Pictures, Sites) = (pictures, sites);

    public IReadOnlyList<KnownPicture> Pictures { get; }

    public IReadOnlyDictionary<Site, SiteCells> Sites { get; }

    /// <summary>Runs pictures.</summary>
    /// <param name="settings">Gives steps, guidance and size.</param>
    /// <param name="numbers">Their numbers.</param>
    /// <param name="progress">Receives how many are done.</param>
    public static KnownCells Read(LoadedModel model, IPictureJudge judge, Recipe settings, IReadOnlyList<Site> sites,
        IEnumerable<int> numbers, Action<int> progress, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var pictures = new List<KnownPicture>();
        var (outputs, indices, values) = (Lists<Tensor>(), Lists<Tensor>(), Lists<Tensor>());
        var maps = Lists<SiteActivations>();
        foreach (var chunk in numbers.Chunk(Batch))
        {
            cancellation.ThrowIfCancellationRequested();
            KnownPicture[] known = [.. chunk.AsParallel().AsOrdered().Select(judge.Picture)];
            using var batch = new PictureBatch(model.Model, Requests.For(settings, [.. known.Select(picture => picture.Caption)]), sites);
            foreach (var site in sites)
            {
                var (input, output) = batch.At(site);
                // Under guidance, the conditional half is the last.
                (input, output) = (input.narrow(0, input.shape[0] - known.Length, known.Length),
                    output.narrow(0, output.shape[0] - known.Length, known.Length));
                using var codes = model.Saes[site].Encode(model.Saes[site].VectorsOf(input, output));
                outputs[site].Add(output.to_type(ScalarType.Float32).permute(0, 2, 3, 1).reshape(-1, output.shape[1]).cpu().clone());
                indices[site].Add(codes.Indices.reshape(-1, codes.Indices.shape[^1]).cpu().clone());
                values[site].Add(codes.Values.reshape(-1, codes.Values.shape[^1]).cpu().clone());
                maps[site].AddRange(Enumerable.Range(0, known.Length).Select(i => Map(site, codes, i)));
            }
            pictures.AddRange(known);
            progress(pictures.Count);
        }
        return new(pictures, sites.ToDictionary(site => site, site => new SiteCells(site,
            cat(outputs[site], 0).DetachFromDisposeScope(),
            new SparseCodes(cat(indices[site], 0).DetachFromDisposeScope(), cat(values[site], 0).DetachFromDisposeScope(),
                model.Saes[site].Features),
            maps[site])));

        Dictionary<Site, List<T>> Lists<T>() => sites.ToDictionary(site => site, _ => new List<T>());
    }

    /// <summary>For each cell how much of it shows an element, in the order of the site's cells.</summary>
    public float[] Truth(Site site, int element) =>
    [
        .. Pictures.Zip(Sites[site].Maps, (picture, map) => picture.Regions[element].Scaled(map.Rows, map.Columns).Cells.ToArray())
            .SelectMany(cells => cells),
    ];

    public void Dispose()
    {
        foreach (var site in Sites.Values)
        {
            site.Outputs.Dispose();
            site.Codes.Dispose();
        }
    }

    private static SiteActivations Map(Site site, SparseCodes codes, int picture)
    {
        using var scope = NewDisposeScope();
        var shape = codes.Indices.shape;
        return new(site, 0, (int)shape[1], (int)shape[2], codes.Features,
            codes.Indices[picture].to(ScalarType.Int32).cpu().contiguous().data<int>().ToArray(),
            codes.Values[picture].cpu().contiguous().data<float>().ToArray());
    }
}

/// <summary>Batches of captions.</summary>
internal static class Requests
{
    /// <param name="settings">Gives steps, guidance and size.</param>
    public static ImageRequest For(Recipe settings, IReadOnlyList<Caption> captions) => ImageRequest.Of(settings) with
    {
        Prompts = [.. captions.Select(caption => caption.Text)],
        Seeds = [.. captions.Select(caption => caption.Seed)],
    };
}
