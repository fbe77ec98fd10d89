namespace SaeUnbox.Cli.Commands;

/// <summary>A picture as a file that carries its recipe.</summary>
internal static class PictureFile
{
    public static byte[] Png(Picture picture, Recipe recipe) =>
        Core.Png.Encode(picture, new Dictionary<string, string> { [Recipe.PngKeyword] = recipe.ToJson() });
}
