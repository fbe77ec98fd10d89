namespace SaeUnbox.Serving;

/// <summary>From pixels to the bytes a job asked for.</summary>
internal static class PictureEncoder
{
    private const int Quality = 92;

    /// <summary>A PNG carries its recipe.</summary>
    public static byte[] Encode(Picture picture, PictureFormat format, Recipe recipe) => format switch
    {
        PictureFormat.Jpeg => Jpeg.Encode(picture, Quality),
        PictureFormat.WebP => WebP.Encode(picture, Quality),
        _ => Png.Encode(picture, new Dictionary<string, string> { [Recipe.PngKeyword] = recipe.ToJson() }),
    };
}
