using Microsoft.AspNetCore.Components;

namespace SaeUnbox.Web.Components;

/// <summary>A page about the default model and its features.</summary>
public abstract class ModelPage : ComponentBase
{
    [Inject] protected IModelCatalogue Catalogue { get; set; } = null!;

    [Inject] protected IServingState Serving { get; set; } = null!;

    /// <summary>The default model; null until it is loaded.</summary>
    protected ModelInfo? Model => Catalogue.Models.FirstOrDefault();

    protected IFeatureAtlas? Atlas => Model is { } model ? Catalogue.AtlasOf(model.Name) : null;

    /// <summary>Completes when the model is loaded, or at once during prerendering, which must not wait for models.</summary>
    protected Task LoadedAsync() => RendererInfo.IsInteractive ? Serving.Loaded : Task.CompletedTask;
}
