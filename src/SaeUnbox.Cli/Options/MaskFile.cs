using System.Text.RegularExpressions;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary>A mask given as a picture of the image's size, as a file of JSON rows, as JSON rows in place, or in the text form of recipes.</summary>
internal static partial class MaskFile
{
    private const long LargestFile = 64 << 20;

    /// <param name="text">A path, JSON that begins with <c>[</c>, or text such as <c>8x8/1:BAA</c>.</param>
    /// <param name="recipe">Gives the image's size.</param>
    /// <param name="grid">Rows and columns of the site.</param>
    /// <exception cref="CliException">The mask cannot be read or has the wrong size.</exception>
    public static BrushMask Read(string text, Recipe recipe, (int Rows, int Columns) grid)
    {
        var mask = text.TrimStart().StartsWith('[') || TextForm().IsMatch(text) ? Parse(text, text) : ReadFile(text, recipe, grid);
        return mask.Rows == grid.Rows && mask.Columns == grid.Columns
            ? mask
            : throw new CliException($"the mask {Line.Quote(text)} has {mask.Rows} x {mask.Columns} cells, but the site has {grid.Rows} x {grid.Columns} at {recipe.Width} x {recipe.Height} pixels.");
    }

    [GeneratedRegex(@"^\d+x\d+/(\d+|f32):[A-Za-z0-9_-]*$")]
    private static partial Regex TextForm();

    private static BrushMask ReadFile(string path, Recipe recipe, (int Rows, int Columns) grid)
    {
        var file = InputFile.Read(path, LargestFile);
        if (!Png.IsPng(file) && !Jpeg.IsJpeg(file)) return Parse(InputFile.Text(path, file), path);
        Picture picture;
        try
        {
            picture = Picture.Decode(file);
        }
        catch (PictureException error)
        {
            throw new CliException($"the mask {path} cannot be read: {error.Message}");
        }
        if (picture.Width != recipe.Width || picture.Height != recipe.Height)
            throw new CliException($"the mask {path} is {picture.Width} x {picture.Height} pixels; it must have the image's size, {recipe.Width} x {recipe.Height}.");
        return BrushMask.FromPixels(picture.PaintedPixels(), picture.Width, picture.Height, grid.Rows, grid.Columns);
    }

    private static BrushMask Parse(string json, string source)
    {
        try
        {
            return BrushMask.Parse(json);
        }
        catch (RecipeException error)
        {
            throw new CliException($"the mask {Line.Quote(source)}: {error.Errors[0].Message}.");
        }
    }
}
