using System.Globalization;

namespace SaeUnbox.Core;

/// <summary>A LoRA that is merged into the model of a recipe.</summary>
/// <param name="Name">The name of its file without the ending, for people to read.</param>
/// <param name="Scale">The factor of what it adds; finite.</param>
/// <param name="Fingerprint">A hash that identifies the file: 16 hexadecimal digits.</param>
public sealed record RecipeLora(string Name, double Scale, string Fingerprint)
{
    internal const int FingerprintLength = 16;

    /// <summary>Whether two lists give the same weights. Files are compared by their fingerprints, because a file may be renamed.</summary>
    public static bool AreSame(IReadOnlyList<RecipeLora> some, IReadOnlyList<RecipeLora> others) =>
        some.Select(lora => (lora.Fingerprint, lora.Scale)).SequenceEqual(others.Select(lora => (lora.Fingerprint, lora.Scale)));

    /// <summary>Describes a list in a sentence, such as "the LoRA style:0.8 (0123456789abcdef)" or "no LoRA".</summary>
    public static string Describe(IReadOnlyList<RecipeLora> loras) => loras.Count == 0
        ? "no LoRA"
        : $"the LoRA{(loras.Count > 1 ? "s" : "")} {string.Join(", ", loras.Select(lora => $"{lora} ({lora.Fingerprint})"))}";

    /// <summary>Name and scale, as the option --lora has them.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Name}:{Scale}");
}
