using System.Security.Cryptography;
using System.Text;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Makes the atlas of a model. It runs captions and keeps for each feature the pictures with the largest mean activation, and adds words,
/// neighbours, a place on a map and a tile. A run that was stopped continues with the same request, and a finished one with more captions.
/// </summary>
public static class AtlasBuilder
{
    private const int SaveEvery = 50, Words = 4;

    /// <param name="folder">Receives the file <see cref="AtlasReader.FileName"/>.</param>
    /// <param name="progress">Receives the number of captions done.</param>
    /// <exception cref="AtlasException">The atlas cannot be written, or the state of an earlier run is broken or of another
    /// request.</exception>
    /// <exception cref="CheckpointException">Another run uses the folder, or the disk is full.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; the state is saved.</exception>
    public static void Run(LoadedModel model, AtlasRequest request, string folder, Action<int>? progress = null,
        CancellationToken cancellation = default)
    {
        Directory.CreateDirectory(folder);
        using var alone = FolderLock.Take(folder);
        var state = new AtlasState(folder, model, request);
        state.Restore();
        using (var runner = new RecipeRunner(model, prefixes: 1))
        {
            try
            {
                while (state.Done < request.Captions.Count)
                {
                    cancellation.ThrowIfCancellationRequested();
                    RunNext(runner, model, request, state, cancellation);
                    progress?.Invoke(state.Done);
                    if (state.Done % SaveEvery == 0)
                        state.Save();
                }
            }
            finally
            {
                state.Save();
            }
        }
        var path = Path.Combine(folder, AtlasReader.FileName);
        var kept = File.Exists(path) ? AtlasReader.Open(folder).Concepts : [];
        AtlasWriter.Write(path, Contents(model, request, state, cancellation) with
        {
            Concepts = [.. request.Concepts.Concat(kept).DistinctBy(concept => concept.Name)],
        });
    }

    private static void RunNext(RecipeRunner runner, LoadedModel model, AtlasRequest request, AtlasState state,
        CancellationToken cancellation)
    {
        var caption = request.Captions[state.Done];
        var recipe = model.Info.NewRecipe(caption.Text) with { Seed = caption.Seed };
        var outcome = runner.Run(recipe, new RunRequest { Read = [.. model.Info.Sites.Select(sae => sae.Site)] }, cancellation);
        foreach (var tally in state.Tallies)
            tally.Add(state.Done, outcome.Maps.Find(tally.Site)!); // of the first step, which decides what the picture shows
        if (state.Tallies.Any(tally => tally.Kept.Contains(state.Done)))
            state.Pictures[state.Done] = SmallPicture.Of(outcome.Picture!, request.PictureSide);
        state.Done++;
    }

    private static AtlasContents Contents(LoadedModel model, AtlasRequest request, AtlasState state, CancellationToken cancellation)
    {
        var words = new WordScores();
        foreach (var caption in request.Captions.Take(state.Done))
            words.Add(caption.Text);
        var images = state.Tallies.SelectMany(tally => Enumerable.Range(0, tally.Features).SelectMany(tally.Shown))
            .Select(seen => seen.Caption).Distinct().Order().ToArray();
        var numbers = images.Index().ToDictionary(image => image.Item, image => image.Index);
        var (features, sprites) = (new List<AtlasFeature>(), new List<AtlasSprite>());
        var together = CoActivation.Find(state.Tallies, state.Done, request.Together, cancellation);
        foreach (var tally in state.Tallies)
        {
            cancellation.ThrowIfCancellationRequested();
            var near = AtlasGeometry.Neighbours(model, tally.Site, request.Neighbours, request.LeastCosine);
            int[] alive = [.. Enumerable.Range(0, tally.Features).Where(feature => tally.Tops(feature).Count > 0)];
            var places = AtlasGeometry.Places(model, tally.Site, alive, cancellation);
            var tiles = new Dictionary<int, int>();
            var sheet = new TileSheet(request.TileSide);
            for (var feature = 0; feature < tally.Features; feature++)
                if (tally.Tops(feature) is [var first, ..])
                    tiles[feature] = sheet.Add(state.Pictures[first.Caption].Jpeg, first.Heat);
            if (sheet.Count > 0)
                sprites.Add(sheet.Finish(tally.Site));
            for (var feature = 0; feature < tally.Features; feature++)
            {
                var best = words.Best(tally.Activity(feature), Words);
                var name = request.Names.GetValueOrDefault((tally.Site, feature)) ?? (best.Count > 0 ? best[0] : null);
                features.Add(new(tally.Statistics(feature), tally.Tops(feature) is [var top, ..] ? top.Mean : 0, name, best,
                    [.. tally.Tops(feature).Select(Top)], near[feature],
                    places.TryGetValue(feature, out var place) ? place : null, tiles.TryGetValue(feature, out var tile) ? tile : null)
                {
                    Activity = new(tally.Histogram(feature), together.GetValueOrDefault((tally.Site, feature)) ?? [],
                        [.. tally.Random(feature).Select(Sample)], [.. tally.Weak(feature).Select(Sample)]),
                });
            }
        }
        return new(model.Info.Name, features,
            [.. images.Select(number => Image(request.Captions[number], state.Pictures[number]))], sprites, request.Suggestions);

        AtlasTop Top(FeatureTally.Seen seen) => new(numbers[seen.Caption], seen.Mean, seen.Heat);

        // Their order matters, not their last digits.
        AtlasTop Sample(FeatureTally.Seen seen) => Top(seen) with { Mean = Math.Round(seen.Mean, 4) };
    }

    private static AtlasImage Image(Caption caption, SmallPicture picture) =>
        new(caption.Text, caption.Seed, picture.Width, picture.Height, picture.Jpeg);
}

/// <summary>What an atlas is made from.</summary>
public sealed record AtlasRequest
{
    public required IReadOnlyList<Caption> Captions { get; init; }

    /// <summary>Pictures kept for each feature.</summary>
    public int TopPictures { get; init; } = 8;

    /// <summary>Longer side of a kept picture in pixels.</summary>
    public int PictureSide { get; init; } = 160;

    /// <summary>Side of a feature's tile in pixels.</summary>
    public int TileSide { get; init; } = 64;

    /// <summary>Random pictures kept for each feature, and as many weak ones.</summary>
    public int SampledPictures { get; init; } = 4;

    /// <summary>Neighbours kept for each feature, in each site.</summary>
    public int Neighbours { get; init; } = 6;

    /// <summary>The cosine from which a feature is a neighbour.</summary>
    public double LeastCosine { get; init; } = SimilarFeature.LeastCosine;

    /// <summary>Features kept for each that are active in the same pictures, over all sites.</summary>
    public int Together { get; init; } = 8;

    /// <summary>Known names; other features are named after their most typical word.</summary>
    public IReadOnlyDictionary<(Site Site, int Feature), string> Names { get; init; } = new Dictionary<(Site, int), string>();

    public IReadOnlyList<Suggestion> Suggestions { get; init; } = [];

    /// <summary>Concepts to keep, beside those that the atlas already has under other names.</summary>
    public IReadOnlyList<Concept> Concepts { get; init; } = [];
}

/// <summary>The state of an unfinished atlas on disk, from which a later run continues.</summary>
internal sealed class AtlasState
{
    private const int Layout = 4;
    private readonly string _path, _key;
    private readonly IReadOnlyList<Caption> _captions;

    public AtlasState(string folder, LoadedModel model, AtlasRequest request)
    {
        (_path, _captions) = (Path.Combine(folder, "building.state"), request.Captions);
        Tallies = [.. model.Info.Sites.Select(sae => new FeatureTally(sae.Site, sae.Features, request.TopPictures,
            request.SampledPictures))];
        _key =
            Hash([model.Fingerprint, $"{model.Dtype} {model.Vae}", $"{request.TopPictures} {request.SampledPictures} {request.PictureSide}",
            .. model.Saes.Select(sae => $"{sae.Key} {SaeLoader.FingerprintOf(sae.Value.Source)}")]);
    }

    public IReadOnlyList<FeatureTally> Tallies { get; }

    /// <summary>Number of captions done.</summary>
    public int Done { get; set; }

    /// <summary>The pictures that are kept, by number of the caption.</summary>
    public Dictionary<int, SmallPicture> Pictures { get; } = [];

    public void Save()
    {
        var kept = Tallies.SelectMany(tally => tally.Kept).ToHashSet();
        foreach (var caption in Pictures.Keys.Where(caption => !kept.Contains(caption)).ToArray())
            Pictures.Remove(caption);
        AtomicFile.Write(_path, stream =>
        {
            using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
            writer.Write(Layout);
            writer.Write(_key);
            writer.Write(Done);
            writer.Write(HashOfCaptions(Done));
            foreach (var tally in Tallies)
                tally.Write(writer);
            writer.Write(Pictures.Count);
            foreach (var (caption, picture) in Pictures)
            {
                writer.Write(caption);
                writer.Write(picture.Width);
                writer.Write(picture.Height);
                writer.Write(picture.Jpeg.Length);
                writer.Write(picture.Jpeg);
            }
        });
    }

    /// <summary>Reads the state of an earlier run, if there is one. Its captions must be the first of this request.</summary>
    /// <exception cref="AtlasException">The state belongs to another model, other options or other captions, or is broken.</exception>
    public void Restore()
    {
        if (!File.Exists(_path))
            return;
        try
        {
            using var reader = new BinaryReader(File.OpenRead(_path));
            if (reader.ReadInt32() != Layout || reader.ReadString() != _key)
                throw new AtlasException($"'{_path}' belongs to another model, other autoencoders or other options; "
                    + "choose another folder, or delete the file to start again.");
            var done = reader.ReadInt32();
            if (reader.ReadString() is var seen && (done > _captions.Count || seen != HashOfCaptions(done)))
                throw new AtlasException($"'{_path}' was made from {done} captions that are not the first of these; "
                    + "choose another folder, or delete the file to start again.");
            foreach (var tally in Tallies)
                tally.Read(reader);
            for (var left = reader.ReadInt32(); left > 0; left--)
            {
                var (caption, width, height, length) = (reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32());
                var jpeg = reader.ReadBytes((int)Math.Min(length, reader.BaseStream.Length));
                Pictures[caption] = jpeg.Length == length ? new(width, height, jpeg) : throw new EndOfStreamException();
            }
            Done = done;
        }
        catch (Exception exception) when (exception is EndOfStreamException or RecipeException or ArgumentException)
        {
            throw new AtlasException($"'{_path}' is broken; delete it to start again.", exception);
        }
    }

    private string HashOfCaptions(int count) => Hash(_captions.Take(count).Select(caption => $"{caption.Seed} {caption.Text}"));

    private static string Hash(IEnumerable<string> lines) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', lines))));
}

/// <summary>
/// Finds features, over all sites, that are active in the same pictures: by Pearson's correlation of their mean activations. It holds the
/// activations of all features in all pictures, 4 bytes each.
/// </summary>
internal static class CoActivation
{
    // Of features active in fewer pictures, a correlation says little.
    private const int FewestPictures = 5;
    // From here on, one feature explains a quarter of the other's variance.
    private const double LeastCorrelation = .5;

    /// <param name="pictures">Number of pictures that the tallies saw.</param>
    /// <param name="count">Most features to return for each.</param>
    /// <returns>For each feature the most correlated others, the largest correlation first; no entry for none.</returns>
    public static Dictionary<(Site Site, int Feature), IReadOnlyList<AtlasTogether>> Find(IReadOnlyList<FeatureTally> tallies, int pictures,
        int count, CancellationToken cancellation)
    {
        (FeatureTally Tally, int Feature)[] features =
        [
            .. from tally in tallies
               from feature in Enumerable.Range(0, tally.Features)
               where tally.Activity(feature).Count >= FewestPictures
               select (tally, feature),
        ];
        var found = new Dictionary<(Site, int), IReadOnlyList<AtlasTogether>>();
        if (features.Length < 2)
            return found;
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var rows = stack([.. features.Select(one => tensor(Standardised(one.Tally.Activity(one.Feature), pictures)))]);
        foreach (var (row, near) in CosineNeighbours.Nearest(rows, rows, count, cancellation).Index())
        {
            AtlasTogether[] others =
            [
                .. near.Where(one => one.Cosine >= LeastCorrelation).Select(one =>
                    new AtlasTogether(features[one.Feature].Tally.Site, features[one.Feature].Feature, Math.Round(one.Cosine, 3))),
            ];
            if (others.Length > 0)
                found[(features[row].Tally.Site, features[row].Feature)] = others;
        }
        return found;
    }

    // Of mean 0 and length 1, so that a product of two is their correlation.
    private static float[] Standardised(IReadOnlyList<(int Caption, double Weight)> activity, int pictures)
    {
        var mean = activity.Sum(one => one.Weight) / pictures;
        var row = Enumerable.Repeat(-mean, pictures).ToArray();
        foreach (var (caption, weight) in activity)
            row[caption] = weight - mean;
        var length = Math.Sqrt(row.Sum(value => value * value));
        return [.. row.Select(value => (float)(value / Math.Max(length, 1e-12)))];
    }
}
