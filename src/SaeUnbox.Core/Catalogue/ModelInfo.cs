namespace SaeUnbox.Core;

/// <summary>A model that can be asked for, and how it is best run.</summary>
/// <param name="Name">The name recipes use.</param>
/// <param name="Title">The name people read.</param>
/// <param name="Steps">Denoising steps it is made for.</param>
/// <param name="Guidance">Guidance scale it is made for.</param>
/// <param name="Width">Width in pixels it is made for.</param>
/// <param name="Height">Height in pixels it is made for.</param>
/// <param name="Sites">Its autoencoders, in the order of the walk.</param>
public sealed record ModelInfo(
    string Name, string Title, int Steps, double Guidance, int Width, int Height, IReadOnlyList<SaeInfo> Sites)
{
    /// <summary>What a recipe may call whatever set of autoencoders is loaded.</summary>
    public const string DefaultSaes = "default";

    /// <summary>Name of the set its autoencoders come from; null where it has none.</summary>
    public string? Saes { get; init; }

    /// <summary>Whether features numbered in the set of this name (see <see cref="Recipe.Saes"/>) are this model's.</summary>
    public bool HasSaes(string? name) => name is null or DefaultSaes || name == Saes;

    /// <summary>A recipe with the model's own settings.</summary>
    public Recipe NewRecipe(string prompt = "") =>
        new() { Model = Name, Prompt = prompt, Steps = Steps, Guidance = Guidance, Width = Width, Height = Height };

    public SaeInfo? Find(HookSite site) => Sites.FirstOrDefault(info => info.Site == site);
}

/// <summary>The autoencoder of a site.</summary>
/// <param name="Site">Where it reads and writes.</param>
/// <param name="Features">n, the size of its dictionary.</param>
/// <param name="K">k, how many features are active per cell.</param>
/// <param name="Channels">d, the width of the vectors it takes.</param>
/// <param name="CellSize">Pixels on the side of one cell of the site's grid.</param>
public sealed record SaeInfo(HookSite Site, int Features, int K, int Channels, int CellSize)
{
    /// <summary>The grid of a picture; a cell that the picture fills only in part counts.</summary>
    public (int Rows, int Columns) Grid(int width, int height) =>
        ((height + CellSize - 1) / CellSize, (width + CellSize - 1) / CellSize);
}
