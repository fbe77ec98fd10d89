namespace SaeUnbox.Models;

/// <summary>A LoRA (arXiv 2106.09685) to merge into a model: its file, and the factor of what it adds.</summary>
/// <param name="Path">A safetensors or PyTorch file.</param>
/// <param name="Scale">Any finite number; 0 adds nothing.</param>
public sealed record LoraFile(string Path, double Scale = 1)
{
    /// <summary>A hash of the file, as models and dictionaries have one.</summary>
    /// <exception cref="CheckpointException">The file cannot be read.</exception>
    public string Fingerprint() => FileFingerprint.Compute(
        LoraSettings.ConfigOf(Path) is { } config ? [("lora", Path), ("config", config)] : [("lora", Path)]);

    /// <summary>Reads <c>FILE[:SCALE]</c>. Only a number after the last colon is a scale, so that C:\style.safetensors is a file.</summary>
    public static LoraFile Parse(string text) =>
        text.LastIndexOf(':') is var colon and > 0 && PlainNumber.TryReal(text[(colon + 1)..], out var scale)
            ? new LoraFile(text[..colon], scale)
            : new LoraFile(text);
}
