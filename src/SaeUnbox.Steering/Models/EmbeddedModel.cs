namespace SaeUnbox.Steering;

/// <summary>unbox-mini, the bundled model. Its files lie beside the program.</summary>
public static class EmbeddedModel
{
    public const string Name = "unbox-mini";

    private static string Folder => Path.Combine(AppContext.BaseDirectory, Name);

    /// <summary>An SDXL pipeline folder in diffusers' layout.</summary>
    public static string ModelFolder => Path.Combine(Folder, "model");

    /// <summary>The folder of its four sparse autoencoders.</summary>
    public static string SaeFolder => Path.Combine(Folder, "saes");

    /// <summary>The atlas of its features.</summary>
    public static string AtlasFolder => Path.Combine(Folder, "atlas");
}
