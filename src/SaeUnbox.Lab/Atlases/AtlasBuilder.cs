using System.Security.Cryptography;
using System.Text;

namespace SaeUnbox.Lab;

/// <summary>
/// Makes the atlas of a model: runs captions, keeps for each feature the pictures in which its mean over the grid is largest, and adds
/// words, neighbours, a plane and tiles. Stopped at any time, the same request goes on; so does a finished one with more captions.
/// </summary>
public static class AtlasBuilder
{
    private const int SaveEvery = 50, Words = 4;

    /// <param name="folder">Gets <see cref="AtlasReader.FileName"/>.</param>
    /// <param name="progress">Told of captions that were run.</param>
    /// <exception cref="AtlasException">The atlas cannot be written, or what an earlier run left is broken or of another request.</exception>
    /// <exception cref="CheckpointException">Another run fills the folder, or the disk is full.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; what was done is kept.</exception>
    public static void Run(LoadedModel model, AtlasRequest request, string folder, Action<int>? progress = null, CancellationToken cancellation = default)
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
                    Take(runner, model, request, state, cancellation);
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
        AtlasWriter.Write(Path.Combine(folder, AtlasReader.FileName), Contents(model, request, state, cancellation));
    }

    private static void Take(RecipeRunner runner, LoadedModel model, AtlasRequest request, AtlasState state, CancellationToken cancellation)
    {
        var caption = request.Captions[state.Done];
        var recipe = model.Info.NewRecipe(caption.Text) with { Seed = caption.Seed };
        var outcome = runner.Run(recipe, new RunRequest { Read = [.. model.Info.Sites.Select(sae => sae.Site)] }, cancellation);
        foreach (var tally in state.Tallies)
            // Of several steps the first, as what is in the picture is settled there.
            tally.Add(state.Done, outcome.Maps.Find(tally.Site)!);
        if (state.Tallies.Any(tally => tally.Kept.Contains(state.Done)))
            state.Pictures[state.Done] = SmallPicture.Of(outcome.Picture!, request.PictureSide);
        state.Done++;
    }

    private static AtlasContents Contents(LoadedModel model, AtlasRequest request, AtlasState state, CancellationToken cancellation)
    {
        var words = new WordScores();
        foreach (var caption in request.Captions.Take(state.Done))
            words.Add(caption.Text);
        var images = state.Pictures.Keys.Order().ToArray();
        var numbers = images.Index().ToDictionary(image => image.Item, image => image.Index);
        var (features, sprites) = (new List<AtlasFeature>(), new List<AtlasSprite>());
        foreach (var tally in state.Tallies)
        {
            cancellation.ThrowIfCancellationRequested();
            var near = AtlasGeometry.Neighbours(model, tally.Site, request.Neighbours);
            var places = AtlasGeometry.Places(model, tally.Site, [.. Enumerable.Range(0, tally.Features).Where(feature => tally.Tops(feature).Count > 0)], cancellation);
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
                    [.. tally.Tops(feature).Select(seen => new AtlasTop(numbers[seen.Caption], seen.Mean, seen.Heat))], near[feature],
                    places.TryGetValue(feature, out var place) ? place : null, tiles.TryGetValue(feature, out var tile) ? tile : null));
            }
        }
        return new(model.Info.Name, features,
            [.. images.Select(caption => new AtlasImage(request.Captions[caption].Text, request.Captions[caption].Seed, state.Pictures[caption].Width, state.Pictures[caption].Height, state.Pictures[caption].Jpeg))],
            sprites, request.Suggestions);
    }
}

/// <summary>What an atlas is made from.</summary>
public sealed record AtlasRequest
{
    public required IReadOnlyList<Caption> Captions { get; init; }

    /// <summary>Pictures kept for a feature.</summary>
    public int TopPictures { get; init; } = 8;

    /// <summary>Longer side of a kept picture in pixels.</summary>
    public int PictureSide { get; init; } = 160;

    /// <summary>Side of a feature's tile in pixels.</summary>
    public int TileSide { get; init; } = 64;

    /// <summary>Neighbours kept for a feature in each site.</summary>
    public int Neighbours { get; init; } = 6;

    /// <summary>Names that are known from elsewhere; they go before those that words give.</summary>
    public IReadOnlyDictionary<(HookSite Site, int Feature), string> Names { get; init; } = new Dictionary<(HookSite, int), string>();

    public IReadOnlyList<Suggestion> Suggestions { get; init; } = [];
}

/// <summary>How far an atlas is: after a stop, or with more captions, it goes on from here.</summary>
internal sealed class AtlasState
{
    private const int Layout = 3;
    private readonly string _path, _key;
    private readonly IReadOnlyList<Caption> _captions;

    /// <param name="folder">The atlas's folder.</param>
    public AtlasState(string folder, LoadedModel model, AtlasRequest request)
    {
        (_path, _captions) = (Path.Combine(folder, "building.state"), request.Captions);
        Tallies = [.. model.Info.Sites.Select(sae => new FeatureTally(sae.Site, sae.Features, request.TopPictures))];
        _key = Hash([model.Fingerprint, $"{model.Dtype} {model.Vae}", $"{request.TopPictures} {request.PictureSide}", .. model.Saes.Select(sae => $"{sae.Key} {SaeLoader.FingerprintOf(sae.Value.Source)}")]);
    }

    public IReadOnlyList<FeatureTally> Tallies { get; }

    /// <summary>Captions that were run.</summary>
    public int Done { get; set; }

    /// <summary>Small JPEGs of the captions whose pictures are kept.</summary>
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

    /// <summary>Takes up what an earlier run left, where its captions are the first of these.</summary>
    /// <exception cref="AtlasException">It is of another model, other options or other captions, or broken.</exception>
    public void Restore()
    {
        if (!File.Exists(_path))
            return;
        try
        {
            using var reader = new BinaryReader(File.OpenRead(_path));
            if (reader.ReadInt32() != Layout || reader.ReadString() != _key)
                throw new AtlasException($"'{_path}' is of another model, other autoencoders or other options; give another folder, or delete it to make the atlas from the start.");
            var done = reader.ReadInt32();
            if (reader.ReadString() is var seen && (done > _captions.Count || seen != HashOfCaptions(done)))
                throw new AtlasException($"'{_path}' holds {done} captions that are not the first of these; give another folder, or delete it to make the atlas from the start.");
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
        catch (Exception exception) when (exception is EndOfStreamException or Core.RecipeException or ArgumentException)
        {
            throw new AtlasException($"'{_path}' is broken; delete it, and the atlas is made from the start.", exception);
        }
    }

    private string HashOfCaptions(int count) => Hash(_captions.Take(count).Select(caption => $"{caption.Seed} {caption.Text}"));

    private static string Hash(IEnumerable<string> lines) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', lines))));
}
