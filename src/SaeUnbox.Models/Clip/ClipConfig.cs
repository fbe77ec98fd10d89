namespace SaeUnbox.Models;

/// <summary>The config.json of a CLIP model with both towers.</summary>
/// <param name="Text">The text tower's.</param>
/// <param name="Vision">The picture tower's.</param>
/// <param name="ProjectionSize">Width of the embeddings that both towers make.</param>
public sealed record ClipConfig(ClipTextConfig Text, ClipVisionConfig Vision, int ProjectionSize)
{
    /// <exception cref="ModelException">A key is missing, malformed or asks for something not supported here.</exception>
    public static ClipConfig From(JsonConfig json)
    {
        json.Choice("model_type", "clip", "clip");
        var size = json.Count("projection_dim", 512);
        // Both towers end at the model's width, whatever their own parts say.
        return new(ClipTextConfig.From(json.Part("text_config")) with { ProjectionSize = size }, ClipVisionConfig.From(json.Part("vision_config")), size);
    }
}
