namespace SaeUnbox.Steering;

/// <summary>unbox-mini, the model that ships with the program and lies beside its binaries.</summary>
public static class EmbeddedModel
{
    public const string Name = "unbox-mini";

    private static string Folder => Path.Combine(AppContext.BaseDirectory, Name);

    /// <summary>An SDXL pipeline folder in diffusers' layout.</summary>
    public static string ModelFolder => Path.Combine(Folder, "model");

    /// <summary>Its four sparse autoencoders.</summary>
    public static string SaeFolder => Path.Combine(Folder, "saes");

    /// <summary>What is known of its features.</summary>
    public static string AtlasFolder => Path.Combine(Folder, "atlas");
}
