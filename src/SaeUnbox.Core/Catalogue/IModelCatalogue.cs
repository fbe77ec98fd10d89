namespace SaeUnbox.Core;

/// <summary>The models that can be asked for.</summary>
public interface IModelCatalogue
{
    /// <summary>Every model, the default first; empty while none is ready.</summary>
    IReadOnlyList<ModelInfo> Models { get; }

    /// <summary>The model of this name; null where there is none.</summary>
    ModelInfo? Find(string name) => Models.FirstOrDefault(model => model.Name == name);

    /// <summary>What is known of a model's features; null where there is no such model.</summary>
    IFeatureAtlas? AtlasOf(string model);
}
