using Microsoft.AspNetCore.Components;

namespace SaeUnbox.Web.Components;

/// <summary>A page about the model that is served first, and what is known of its features.</summary>
public abstract class ModelPage : ComponentBase
{
    [Inject] protected IModelCatalogue Catalogue { get; set; } = null!;

    [Inject] protected IServingState Serving { get; set; } = null!;

    /// <summary>Null while none is loaded.</summary>
    protected ModelInfo? Model => Catalogue.Models.FirstOrDefault();

    protected IFeatureAtlas? Atlas => Model is { } model ? Catalogue.AtlasOf(model.Name) : null;

    /// <summary>Ends when the model is there; at once where the page is only being sent, for a model may come much later.</summary>
    protected Task LoadedAsync() => RendererInfo.IsInteractive ? Serving.Loaded : Task.CompletedTask;
}
