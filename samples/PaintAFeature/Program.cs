// Paints grass over the lower half of a sea and saves the picture, with its recipe inside.
//   dotnet run --project samples/PaintAFeature -c Release -- [FILE]
using SaeUnbox.Core;
using SaeUnbox.Models;
using SaeUnbox.Steering;

Libtorch.Prepare();
var file = args.ElementAtOrDefault(0) ?? "painted.png";
using var model = LoadedModel.Load(new ModelOptions
{
    Name = EmbeddedModel.Name,
    Folder = EmbeddedModel.ModelFolder,
    SaeFolder = EmbeddedModel.SaeFolder
});

// A mask has one value for each cell of the site's grid.
var site = Site.Composition;
var plain = model.Info.NewRecipe("boats at sea at sunset, clouds") with { Seed = 10 };
var (rows, columns) = model.Info.Find(site)!.Grid(plain.Width, plain.Height);
var cells = new float[rows * columns];
cells.AsSpan(rows / 2 * columns).Fill(1);
var painted = plain with { Edits = [new FeatureEdit(site, Feature: 39, Strength: 8) { Mask = BrushMask.FromCells(rows, columns, cells) }] };

// The second run starts again at the site: what lies before it is the same.
using var runner = new RecipeRunner(model);
runner.Run(plain);
var picture = runner.Run(painted).Picture!;
File.WriteAllBytes(file, Png.Encode(picture, new Dictionary<string, string> { [Recipe.PngKeyword] = painted.ToJson() }));
Console.WriteLine(file);
