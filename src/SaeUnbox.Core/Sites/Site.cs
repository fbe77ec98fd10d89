using System.Diagnostics.CodeAnalysis;

namespace SaeUnbox.Core;

/// <summary>
/// A layer of the first text encoder, such as <c>text.9</c>, or an attention block (Transformer2D) of the U-Net at which features are read
/// and painted, such as <c>down.2.1</c>, which is the module <c>unet.down_blocks.2.attentions.1</c>. Lists sort sites by section and
/// number; the order in which a pass reaches them is the model's.
/// </summary>
[JsonConverter(typeof(SiteConverter))]
public sealed record Site : IComparable<Site>, IParsable<Site>
{
    private const int MaxIndexDigits = 2;

    private Site(UNetSection section, int block, int attention)
    {
        Section = section;
        Block = block;
        Attention = attention;
    }

    /// <summary><c>down.2.1</c>, which decides in SDXL what is where in the picture.</summary>
    public static Site Composition { get; } = Down(2, 1);

    /// <summary><c>mid.0</c>, whose features are hard to interpret in SDXL.</summary>
    public static Site Middle { get; } = Mid(0);

    /// <summary><c>up.0.0</c>, which adds details in SDXL.</summary>
    public static Site Details { get; } = Up(0, 0);

    /// <summary><c>up.0.1</c>, which sets colours, light and style in SDXL.</summary>
    public static Site Style { get; } = Up(0, 1);

    /// <summary>The four sites of the demo on SDXL, in the order of the U-Net.</summary>
    public static IReadOnlyList<Site> Named { get; } = [Composition, Middle, Details, Style];

    /// <summary>Layer <paramref name="layer"/> of the first text encoder.</summary>
    public static Site Text(int layer) => new(UNetSection.Text, 0, layer);

    /// <summary>Attention <paramref name="attention"/> of down block <paramref name="block"/>.</summary>
    public static Site Down(int block, int attention) => new(UNetSection.Down, block, attention);

    public static Site Mid(int attention) => new(UNetSection.Mid, 0, attention);

    /// <summary>Attention <paramref name="attention"/> of up block <paramref name="block"/>.</summary>
    public static Site Up(int block, int attention) => new(UNetSection.Up, block, attention);

    public UNetSection Section { get; }

    /// <summary>Index of the down or up block; 0 for the middle block.</summary>
    public int Block { get; }

    /// <summary>Index of the attention within its block; of a text encoder, that of the layer.</summary>
    public int Attention { get; }

    /// <summary>Whether it is a layer of the text encoder, whose grid is one row of tokens.</summary>
    public bool IsText => Section == UNetSection.Text;

    /// <summary>The short name: <c>down.2.1</c>, <c>mid.0</c>, <c>up.0.1</c>.</summary>
    public string Code => Section switch
    {
        UNetSection.Text => Invariant($"text.{Attention}"),
        UNetSection.Down => Invariant($"down.{Block}.{Attention}"),
        UNetSection.Mid => Invariant($"mid.{Attention}"),
        _ => Invariant($"up.{Block}.{Attention}"),
    };

    /// <summary>The module's path, as checkpoints and published autoencoders write it.</summary>
    public string ModulePath => Section switch
    {
        UNetSection.Text => Invariant($"text_encoder.text_model.encoder.layers.{Attention}"),
        UNetSection.Down => Invariant($"unet.down_blocks.{Block}.attentions.{Attention}"),
        UNetSection.Mid => Invariant($"unet.mid_block.attentions.{Attention}"),
        _ => Invariant($"unet.up_blocks.{Block}.attentions.{Attention}"),
    };

    /// <summary>Reads a code such as <c>up.0.1</c>.</summary>
    /// <exception cref="FormatException">The text is not the code of a site.</exception>
    public static Site Parse(string code) =>
        TryParse(code, out var site) ? site : throw new FormatException($"{UntrustedText.Quote(code)} is not a hook site; {Expected}");

    /// <summary>Reads a code such as <c>up.0.1</c>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? code, [NotNullWhen(true)] out Site? site)
    {
        site = code?.Split('.') switch
        {
            ["text", var layer] => Create(UNetSection.Text, "0", layer),
            ["down", var block, var attention] => Create(UNetSection.Down, block, attention),
            ["mid", var attention] => Create(UNetSection.Mid, "0", attention),
            ["up", var block, var attention] => Create(UNetSection.Up, block, attention),
            _ => null,
        };
        return site is not null;
    }

    /// <summary>Reads a module path such as <c>unet.up_blocks.0.attentions.1</c>.</summary>
    public static bool TryParseModulePath([NotNullWhen(true)] string? path, [NotNullWhen(true)] out Site? site)
    {
        site = path?.Split('.') switch
        {
            ["text_encoder", "text_model", "encoder", "layers", var layer] => Create(UNetSection.Text, "0", layer),
            ["unet", "down_blocks", var block, "attentions", var attention] => Create(UNetSection.Down, block, attention),
            ["unet", "mid_block", "attentions", var attention] => Create(UNetSection.Mid, "0", attention),
            ["unet", "up_blocks", var block, "attentions", var attention] => Create(UNetSection.Up, block, attention),
            _ => null,
        };
        return site is not null;
    }

    static Site IParsable<Site>.Parse(string s, IFormatProvider? provider) => Parse(s);

    static bool IParsable<Site>.TryParse(string? s, IFormatProvider? provider, [NotNullWhen(true)] out Site? result) =>
        TryParse(s, out result);

    public int CompareTo(Site? other) =>
        other is null ? 1 : (Section, Block, Attention).CompareTo((other.Section, other.Block, other.Attention));

    public override string ToString() => Code;

    internal const string Expected = "write down.BLOCK.ATTENTION, mid.ATTENTION, up.BLOCK.ATTENTION or text.LAYER, such as down.2.1";

    private static Site? Create(UNetSection section, string block, string attention) =>
        TryIndex(block, out var blockIndex) && TryIndex(attention, out var attentionIndex)
            ? new(section, blockIndex, attentionIndex)
            : null;

    // Each site has one spelling: no sign, no spaces, no leading zero.
    private static bool TryIndex(string text, out int index) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out index)
        && text.Length <= MaxIndexDigits && (text.Length == 1 || text[0] != '0');

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}

/// <summary>The text encoder and the three parts of the U-Net, in the order they run.</summary>
public enum UNetSection
{
    Text,
    Down,
    Mid,
    Up,
}

/// <summary>Writes a site to JSON as its code.</summary>
internal sealed class SiteConverter : JsonConverter<Site>
{
    public override Site Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && Site.TryParse(reader.GetString(), out var site)
            ? site
            : throw new JsonException($"not a hook site; {Site.Expected}");

    public override void Write(Utf8JsonWriter writer, Site value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.Code);
}
