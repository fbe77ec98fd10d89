using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace SaeUnbox.Testing;

/// <summary>A weight of the golden model that a LoRA changes, and the matrices that do it.</summary>
/// <param name="Part">Folder of the network.</param>
/// <param name="Module">The weight's name without its ending.</param>
/// <param name="Shape">The weight's shape.</param>
public sealed record LoraTarget(string Part, string Module, long[] Shape, int Rank = 2, double? Alpha = null)
{
    public Tensor Down { get; } = Quarters([Rank, .. Shape[1..]], Module.Length);

    public Tensor Up { get; } = Quarters([Shape[0], Rank, .. Shape.Length == 4 ? [1L, 1L] : Array.Empty<long>()], Module.Length + 1);

    /// <summary>scale * alpha / rank * B A in float64.</summary>
    public Tensor Delta(double scale) => Up.to_type(float64).reshape(Shape[0], Rank).mm(Down.to_type(float64).reshape(Rank, -1))
        .Times(scale * (Alpha ?? Rank) / Rank).reshape(Shape);

    // Multiples of 1/4 from -1/2 to 1/2, whose products and sums float32 holds exactly.
    private static Tensor Quarters(long[] shape, int seed)
    {
        var random = new Random(seed);
        return tensor(Enumerable.Range(0, (int)shape.Aggregate((a, b) => a * b)).Select(_ => random.Next(-2, 3) / 4f).ToArray())
            .reshape(shape);
    }
}

/// <summary>The ways to name the tensors of a LoRA.</summary>
public static partial class WrittenLora
{
    public static readonly IReadOnlyDictionary<string, Func<LoraTarget, (string Down, string Up, string Alpha)>> Forms =
        new Dictionary<string, Func<LoraTarget, (string, string, string)>>
        {
            ["peft"] = target => Named($"{target.Part}.{target.Module}", ".lora_A.weight", ".lora_B.weight"),
            ["peft with adapter"] = target =>
                Named($"base_model.model.{target.Part}.{target.Module}", ".lora_A.default.weight", ".lora_B.default.weight"),
            ["diffusers"] = target => Named($"{target.Part}.{target.Module}", ".lora.down.weight", ".lora.up.weight"),
            ["diffusers, linear layers"] = target =>
                Named($"{target.Part}.{target.Module}", ".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"),
            ["diffusers, processors"] = target => Named($"{target.Part}.{Processor(target.Module)}", "_lora.down.weight",
                "_lora.up.weight"),
            ["kohya"] = target => Kohya(target.Part, target.Module),
            ["kohya, original"] = target => Kohya(target.Part, target.Part == "unet" ? Original(target.Module) : target.Module),
        };

    /// <summary>What a LoRA for the golden model changes: a projection in the middle of its U-Net, so that every picture changes.</summary>
    public static LoraTarget Middle => new("unet", "mid_block.attentions.0.proj_out", [40, 40], Rank: 4, Alpha: 2);

    /// <summary>Writes a LoRA under the names of a form.</summary>
    public static void Write(string path, string form, params LoraTarget[] targets)
    {
        var tensors = new Dictionary<string, Tensor>();
        foreach (var target in targets)
        {
            var (down, up, alpha) = Forms[form](target);
            (tensors[down], tensors[up]) = (target.Down, target.Up);
            if (target.Alpha is { } value)
                tensors[alpha] = tensor((float)value);
        }

        SafetensorsWriter.Write(path, tensors);
    }

    private static (string, string, string) Named(string module, string down, string up) =>
        (module + down, module + up, module + (down.StartsWith('_') ? "_lora.alpha" : ".alpha"));

    private static (string, string, string) Kohya(string part, string module) => Named(
        part switch { "unet" => "lora_unet_", "text_encoder" => "lora_te1_", _ => "lora_te2_" } + module.Replace('.', '_'),
        ".lora_down.weight", ".lora_up.weight");

    private static string Processor(string module) => TextProjection().Replace(
        module.Replace("to_out.0", "to_out", StringComparison.Ordinal)
            .Replace(".to_", ".processor.to_", StringComparison.Ordinal), "to_$1");

    // Two levels of the golden model have attention, with two layers each on the way down and three on the way up.
    private static string Original(string module) => LevelName().Replace(module, match =>
    {
        if (match.Groups[1].Value == "mid")
            return "middle_block.1";
        var (level, layer) = (int.Parse(match.Groups[2].ValueSpan), int.Parse(match.Groups[3].ValueSpan));
        return match.Groups[1].Value == "down"
            ? $"input_blocks.{1 + 3 * level + layer}.1"
            : $"output_blocks.{3 * level + layer}.1";
    });

    [GeneratedRegex(@"^(down|up|mid)_block(?:s\.(\d+))?\.attentions\.(\d+)")]
    private static partial Regex LevelName();

    [GeneratedRegex(@"(q|k|v|out)_proj")]
    private static partial Regex TextProjection();
}
