using System.Globalization;

namespace SaeUnbox.Lab;

/// <summary>Takes a published atlas of pictures, one file a feature: SITE/FEATURE.jpg. What its pictures were made from is not known.</summary>
public static class AtlasImport
{
    /// <exception cref="AtlasException">A folder is missing, a picture is broken, or the atlas cannot be written.</exception>
    public static void Run(LoadedModel model, AtlasRequest request, string source, string folder, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        if (!Directory.Exists(source))
            throw new AtlasException($"There is no folder '{source}' to take an atlas from.");
        var (images, features, sprites) = (new List<AtlasImage>(), new List<AtlasFeature>(), new List<AtlasSprite>());
        var (done, all) = (0, model.Info.Sites.Sum(sae => sae.Features));
        foreach (var sae in model.Info.Sites)
        {
            var sheet = new TileSheet(request.TileSide);
            var whole = BrushMask.FromCells(1, 1, [1]);
            var near = AtlasGeometry.Neighbours(model, sae.Site, request.Neighbours);
            var shown = Enumerable.Range(0, sae.Features).Where(feature => File.Exists(PathOf(sae.Site, feature))).ToArray();
            var places = AtlasGeometry.Places(model, sae.Site, shown, cancellation);
            for (var feature = 0; feature < sae.Features; feature++)
            {
                cancellation.ThrowIfCancellationRequested();
                var image = places.ContainsKey(feature) ? Small(PathOf(sae.Site, feature), request.PictureSide) : null;
                if (image is not null)
                    images.Add(image);
                var scale = model.Saes[sae.Site].Scale;
                features.Add(new(new(sae.Site, feature, scale?.Mean[feature] ?? 0, scale?.StandardDeviation?[feature] ?? 0), 0, request.Names.GetValueOrDefault((sae.Site, feature)), [],
                    image is null ? [] : [new(images.Count - 1, 0, null)], near[feature],
                    places.TryGetValue(feature, out var place) ? place : null, image is null ? null : sheet.Add(image.Jpeg, whole)));
                progress?.Invoke(++done, all);
            }
            if (sheet.Count > 0)
                sprites.Add(sheet.Finish(sae.Site));
        }
        if (images.Count == 0)
            throw new AtlasException($"'{source}' holds no pictures such as {model.Info.Sites[0].Site}/0.jpg.");
        Directory.CreateDirectory(folder);
        AtlasWriter.Write(Path.Combine(folder, AtlasReader.FileName), new(model.Info.Name, features, images, sprites, request.Suggestions));

        string PathOf(HookSite site, int feature) => Path.Combine(source, site.Code, $"{feature.ToString(CultureInfo.InvariantCulture)}.jpg");
    }

    private static AtlasImage Small(string path, int side)
    {
        try
        {
            var small = SmallPicture.Of(Picture.Decode(File.ReadAllBytes(path)), side);
            return new("", null, small.Width, small.Height, small.Jpeg);
        }
        catch (PictureException exception)
        {
            throw new AtlasException($"The picture '{path}' cannot be read: {exception.Message}", exception);
        }
    }
}
