using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// The pairs of small matrices in an open LoRA file, by the names that the file gives their modules. Reads the key names of diffusers (old
/// and present ones), PEFT and kohya.
/// </summary>
internal sealed partial class LoraWeights : IDisposable
{
    private static readonly (string Mark, string What)[] OtherMethods =
    [
        ("dora_scale", "a DoRA"), ("lora_magnitude_vector", "a DoRA"), (".hada_", "a LoHa"), (".lokr_", "a LoKr"),
        (".lora_mid.", "a LoCon with a core tensor"), (".oft_", "an OFT"), (".lora_embedding_", "a LoRA of embeddings"),
        (".diff.", "a difference of whole weights"), (".diff_b.", "a difference of whole weights"),
    ];

    private readonly Checkpoint _checkpoint;
    private readonly LoraSettings _settings;

    private LoraWeights(Checkpoint checkpoint)
    {
        (_checkpoint, _settings) = (checkpoint, LoraSettings.Of(checkpoint));
        var found = new OrderedDictionary<string, Keys>();
        var others = new List<string>();
        foreach (var key in checkpoint.Entries.Keys)
        {
            if (Part(key) is var (module, role))
                found[module] = With(found.GetValueOrDefault(module), role, key);
            else
                others.Add(key);
        }

        if (OtherMethod(others) is { } method)
            throw Unsupported($"it is {method}, which is not supported; only plain LoRAs are");
        Modules = [.. found.Select(pair => Module(pair.Key, pair.Value))];
        Others = others;
    }

    private enum Role { Down, Up, Alpha }

    public string Path => _checkpoint.Path;

    public IReadOnlyList<LoraModule> Modules { get; }

    /// <summary>Keys that are no part of a LoRA.</summary>
    public IReadOnlyList<string> Others { get; }

    /// <exception cref="CheckpointException">The file cannot be read, or holds no plain LoRA.</exception>
    public static LoraWeights Open(string path)
    {
        var checkpoint = Checkpoint.Open(path);
        try
        {
            var lora = new LoraWeights(checkpoint);
            return lora.Modules.Count > 0 ? lora : throw lora.Unsupported(
                $"it is no LoRA; its tensors are {Listing.Shorten(checkpoint.Entries.Keys.Order(StringComparer.Ordinal).ToList(), 5)}");
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>Whether any name is that of a LoRA's tensor.</summary>
    public static bool IsLora(IEnumerable<string> names) => names.Any(name => Part(name) is (_, Role.Down or Role.Up));

    /// <summary>
    /// What else than a LoRA changes a model by tensors of these names, such as "a LoHa"; null for nothing that is known.
    /// </summary>
    public static string? OtherMethod(IEnumerable<string> names) => Array.Find(OtherMethods, method =>
        names.Any(name => $"{name}.".Contains(method.Mark, StringComparison.Ordinal))).What;

    /// <summary>
    /// Describes a LoRA by its tensors, such as "LoRA of rank 4 for 722 modules of U-Net, in kohya's names"; null if it is none.
    /// </summary>
    /// <exception cref="CheckpointException">It is damaged.</exception>
    public static string? Describe(Checkpoint checkpoint)
    {
        if (OtherMethod(checkpoint.Entries.Keys) is { } method)
            return $"{method[(method.IndexOf(' ', StringComparison.Ordinal) + 1)..]}, which is not supported";
        if (!IsLora(checkpoint.Entries.Keys))
            return null;
        var modules = new LoraWeights(checkpoint).Modules;
        var (least, most) = (modules.Min(module => module.Rank), modules.Max(module => module.Rank));
        return $"LoRA of rank {(least == most ? $"{least}" : $"{least} to {most}")} for {modules.Count} modules of "
            + $"{string.Join(", ", modules.Select(LoraNames.NetworkOf).Distinct().Order(StringComparer.Ordinal))}, in names of "
            + string.Join(" and ", modules.Select(FormOf).Distinct().Order(StringComparer.Ordinal));

        static string FormOf(LoraModule module) => module.Name.StartsWith("lora_", StringComparison.Ordinal) ? "kohya"
            : module.Down.Contains(".lora_A.", StringComparison.Ordinal) ? "PEFT"
            : "diffusers";
    }

    /// <summary>Checks that a module changes a weight of this shape.</summary>
    /// <exception cref="CheckpointException">The shapes differ.</exception>
    public void RequireFit(LoraModule module, string weight, long[] shape)
    {
        var (down, up) = (_checkpoint.Entries[module.Down].Shape, _checkpoint.Entries[module.Up].Shape);
        if (shape is not [var rows, var columns, .. var kernel] || up[0] != rows || down[1] != columns || !IsKernel(down.AsSpan(2), kernel)
            || !IsKernel(up.AsSpan(2), []))
            throw Unsupported($"'{module.Name}' has the shapes {Shapes.Text(down)} and {Shapes.Text(up)}, which do not fit {weight} of "
                + $"{Shapes.Text(shape)}; the LoRA belongs to another model");

        // The kernel of a 1x1 convolution may be written as a matrix.
        static bool IsKernel(ReadOnlySpan<long> stored, ReadOnlySpan<long> wanted) =>
            stored.SequenceEqual(wanted) || (stored.IsEmpty ? wanted : wanted.IsEmpty ? stored : []) is [1, 1];
    }

    /// <summary>weight += scale * alpha / rank * B A, in float32.</summary>
    public void AddTo(Tensor weight, LoraModule module, double scale)
    {
        using var scope = NewDisposeScope();
        var (down, up) = (Read(module.Down).reshape(module.Rank, -1), Read(module.Up).reshape(-1, module.Rank));
        weight.Accumulate(up.mm(down).MultiplyInPlace(scale * module.Alpha / module.Rank).reshape(weight.shape));
    }

    public void Dispose() => _checkpoint.Dispose();

    private Tensor Read(string key)
    {
        var tensor = empty(_checkpoint.Entries[key].Shape, dtype: ScalarType.Float32);
        _checkpoint.Read(key, tensor);
        return tensor;
    }

    private static (string Module, Role Role)? Part(string key)
    {
        if (KeyForm().Match(key.Replace("base_model.model.", "", StringComparison.Ordinal)) is not { Success: true } match)
            return null;
        var role = match.Groups["role"].Value is "down" or "A"
            ? Role.Down
            : match.Groups["role"].Value is "up" or "B" ? Role.Up : Role.Alpha;
        return (match.Groups["module"].Value, role);
    }

    private Keys With(Keys keys, Role role, string key)
    {
        if ((role == Role.Down ? keys.Down : role == Role.Up ? keys.Up : keys.Alpha) is { } other)
            throw Unsupported($"'{other}' and '{key}' are two names of one tensor");
        return role switch
        {
            Role.Down => keys with { Down = key },
            Role.Up => keys with { Up = key },
            _ => keys with { Alpha = key },
        };
    }

    private LoraModule Module(string name, Keys keys)
    {
        if (keys is not { Down: { } down, Up: { } up })
            throw Unsupported($"'{name}' has only one of the two matrices of a LoRA");
        var (a, b) = (_checkpoint.Entries[down], _checkpoint.Entries[up]);
        if (!a.Element.IsFloatingPoint || !b.Element.IsFloatingPoint)
            throw Unsupported($"'{name}' is stored as {a.Element} and {b.Element}, which are no floats");
        if (a.Shape.Length is not (2 or 4) || b.Shape.Length is not (2 or 4) || a.Shape[0] < 1 || b.Shape[1] != a.Shape[0])
            throw Unsupported($"'{name}' has the shapes {Shapes.Text(a.Shape)} and {Shapes.Text(b.Shape)}, which are not [rank, in] and "
                + "[out, rank]");
        return new LoraModule(name, down, up, a.Shape[0], keys.Alpha is { } alpha
            ? Number(alpha)
            : _settings.AlphaOf(name, a.Shape[0]));
    }

    private double Number(string key)
    {
        var entry = _checkpoint.Entries[key];
        if (entry.Count == 1)
        {
            using var scope = NewDisposeScope();
            if (_checkpoint.Read(key).to_type(ScalarType.Float64).view(1).data<double>()[0] is var value && double.IsFinite(value))
                return value;
        }

        throw Unsupported($"'{key}' is not a number");
    }

    private CheckpointException Unsupported(string what) => new($"The LoRA '{Path}' cannot be merged: {SourceFile.OneLine(what)}.");

    // "lora_A.default.weight" is PEFT's with the adapter's name, ".lora.down", ".lora_linear_layer.down" and "to_q_lora.down" are older
    // versions of diffusers.
    [GeneratedRegex(@"^(?<module>.+?)(?:\.lora_(?<role>A|B|down|up)(?:\.[^.]+)?\.weight|(?:\.lora|\.lora_linear_layer|(?<=_lora))\."
        + @"(?<role>down|up)\.weight|\.(?<role>alpha))$", RegexOptions.ExplicitCapture)]
    private static partial Regex KeyForm();

    private readonly record struct Keys(string? Down, string? Up, string? Alpha);
}

/// <summary>What a LoRA adds to one weight.</summary>
/// <param name="Name">The module, as the file names it.</param>
/// <param name="Down">Key of A: [rank, in], or [rank, in, height, width] for a convolution.</param>
/// <param name="Up">Key of B: [out, rank], or [out, rank, 1, 1].</param>
/// <param name="Alpha">Its scale; that of the settings (<see cref="LoraSettings"/>) if the file stores none.</param>
internal sealed record LoraModule(string Name, string Down, string Up, long Rank, double Alpha);

/// <summary>
/// Every name that LoRA files give to a model's weights. It is made from the names of the model itself: underscores cannot be turned back
/// into dots.
/// </summary>
internal sealed class LoraNames
{
    private const string UNet = "unet", TextPrefix = "text_model.", Weight = ".weight";

    private static readonly (string Present, string Old)[] OldProjections =
    [
        (".to_q", ".processor.to_q_lora"), (".to_k", ".processor.to_k_lora"), (".to_v", ".processor.to_v_lora"),
        (".to_out.0", ".processor.to_out_lora"), (".q_proj", ".to_q_lora"), (".k_proj", ".to_k_lora"), (".v_proj", ".to_v_lora"),
        (".out_proj", ".to_out_lora"),
    ];

    private static readonly (string Prefix, string Network)[] Networks =
    [
        ("text_encoder_2", "text encoder 2"), ("lora_te2_", "text encoder 2"), ("text_encoder", "text encoder"),
        ("lora_te", "text encoder"), (TextPrefix, "text encoder"), ("", "U-Net"),
    ];

    private readonly Dictionary<string, (string Part, string Tensor)> _weights = [];

    /// <param name="parts">The tensors of the U-Net and the text encoders, by the names of their folders.</param>
    public LoraNames(IReadOnlyDictionary<string, IReadOnlyDictionary<string, TensorEntry>> parts)
    {
        foreach (var (part, tensors) in parts)
        {
            var names = part == UNet ? OriginalNames.UNet(tensors.ContainsKey) : null;
            foreach (var tensor in tensors.Keys.Where(name => name.EndsWith(Weight, StringComparison.Ordinal)))
            {
                var module = tensor[..^Weight.Length];
                foreach (var name in names is null ? OfText(part, module, isOnly: parts.Count == 2) : OfUNet(module, names.ToFile(module)))
                    _weights.TryAdd(name, (part, tensor));
            }
        }
    }

    /// <summary>The weight that a module of a LoRA changes; null if the model has none of this name.</summary>
    public (string Part, string Tensor)? Find(string module) => _weights.TryGetValue(module, out var weight) ? weight : null;

    /// <summary>Which network a module belongs to, as far as its name says.</summary>
    public static string NetworkOf(LoraModule module) => Networks.First(network =>
        module.Name.StartsWith(network.Prefix, StringComparison.Ordinal)).Network;

    /// <summary>A few names, for messages.</summary>
    public IEnumerable<string> Examples => _weights.Keys.Where(name => name.Contains("attn1.to_q", StringComparison.Ordinal)
        || name.Contains("attn1_to_q", StringComparison.Ordinal));

    private static IEnumerable<string> OfUNet(string module, string original) =>
    [
        .. WithOld($"{UNet}.{module}"), .. WithOld(module), $"diffusion_model.{original}",
        $"lora_unet_{Flat(module)}", $"lora_unet_{Flat(original)}",
    ];

    private static IEnumerable<string> OfText(string part, string module, bool isOnly)
    {
        // transformers 5.6 and later write a plain text model without the prefix.
        var (plain, full) = module.StartsWith(TextPrefix, StringComparison.Ordinal) ? (module[TextPrefix.Length..], module)
            : module == "text_projection" ? (module, module)
            : (module, TextPrefix + module);
        var number = part.Split('_') is [_, _, var last] ? last : "1";
        IEnumerable<string> names =
            [.. WithOld($"{part}.{full}"), .. WithOld($"{part}.{plain}"), $"lora_te{number}_{Flat(full)}"];
        if (number == "1")
            names = names.Append($"lora_te_{Flat(full)}");
        return isOnly ? names.Concat([full, plain]) : names;
    }

    private static IEnumerable<string> WithOld(string module)
    {
        var (present, old) = Array.Find(OldProjections, pair => module.EndsWith(pair.Present, StringComparison.Ordinal));
        return present is null ? [module] : [module, module[..^present.Length] + old];
    }

    private static string Flat(string module) => module.Replace('.', '_');
}
