namespace SaeUnbox.Models;

/// <summary>One safetensors file.</summary>
internal sealed class SafetensorsFile : Checkpoint
{
    private SafetensorsFile(SourceFile file, SafetensorsHeader header) : base(file.Path, "safetensors", header.Tensors, [file]) =>
        Metadata = header.Metadata;

    public override IReadOnlyDictionary<string, string> Metadata { get; }

    public static SafetensorsFile Open(SourceFile file) => new(file, SafetensorsHeader.Read(file));
}
