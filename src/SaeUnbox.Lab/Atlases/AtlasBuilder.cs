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
