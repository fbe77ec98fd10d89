namespace SaeUnbox.Models;

/// <summary>
/// Names of the parts of Stable Diffusion in the original layout (github.com/Stability-AI/generative-models, sgm/modules; OpenCLIP for text
/// encoders of its own) and in diffusers' folders. Numbers of levels and layers come from the names themselves.
/// </summary>
internal static class OriginalNames
{
    private static readonly (string Folder, string File)[] Residual =
    [
        ("norm1", "in_layers.0"), ("conv1", "in_layers.2"), ("time_emb_proj", "emb_layers.1"),
        ("norm2", "out_layers.0"), ("conv2", "out_layers.3"), ("conv_shortcut", "skip_connection"),
    ];

    /// <summary>The U-Net's names.</summary>
    /// <param name="has">Whether there is a tensor of this name, in either layout.</param>
    public static NameMap UNet(Func<string, bool> has)
    {
        var levels = Levels(has);
        var map = new NameMap();
        map.Add("time_embedding.linear_1", "time_embed.0");
        map.Add("time_embedding.linear_2", "time_embed.2");
        map.Add("add_embedding.linear_1", "label_emb.0.0");
        map.Add("add_embedding.linear_2", "label_emb.0.2");
        map.Add("conv_in", "input_blocks.0.0");
        map.Add("conv_norm_out", "out.0");
        map.Add("conv_out", "out.2");
        AddResidual(map, "mid_block.resnets.0", "middle_block.0");
        map.Add("mid_block.attentions.0", "middle_block.1");
        AddResidual(map, "mid_block.resnets.1", "middle_block.2");

        var (input, output) = (1, 0);
        for (var level = 0; level < levels.Count; level++)
        {
            for (var layer = 0; layer < levels[level]; layer++, input++)
            {
                AddResidual(map, $"down_blocks.{level}.resnets.{layer}", $"input_blocks.{input}.0");
                map.Add($"down_blocks.{level}.attentions.{layer}", $"input_blocks.{input}.1");
            }

            map.Add($"down_blocks.{level}.downsamplers.0.conv", $"input_blocks.{input++}.0.op");
            // The way up has one layer more at each level.
            var layers = levels[^(level + 1)] + 1;
            var attends = has($"up_blocks.{level}.attentions.0.norm.weight") || has($"output_blocks.{output}.1.norm.weight");
            for (var layer = 0; layer < layers; layer++, output++)
            {
                AddResidual(map, $"up_blocks.{level}.resnets.{layer}", $"output_blocks.{output}.0");
                map.Add($"up_blocks.{level}.attentions.{layer}", $"output_blocks.{output}.1");
            }

            map.Add($"up_blocks.{level}.upsamplers.0.conv", $"output_blocks.{output - 1}.{(attends ? 2 : 1)}.conv");
        }

        return map;
    }

    /// <summary>The autoencoder's names.</summary>
    /// <inheritdoc cref="UNet"/>
    public static NameMap Autoencoder(Func<string, bool> has)
    {
        var map = new NameMap();
        var levels = Count(level => has($"encoder.down.{level}.block.0.conv1.weight")
            || has($"encoder.down_blocks.{level}.resnets.0.conv1.weight"));
        foreach (var half in (string[])["encoder", "decoder"])
        {
            map.Add($"{half}.conv_norm_out", $"{half}.norm_out");
            map.Add($"{half}.mid_block.resnets.0", $"{half}.mid.block_1");
            map.Add($"{half}.mid_block.resnets.1", $"{half}.mid.block_2");
            foreach (var (folder, file) in ((string, string)[])
                [("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")])
                map.Add($"{half}.mid_block.attentions.0.{folder}", $"{half}.mid.attn_1.{file}");
        }

        for (var level = 0; level < levels; level++)
        {
            AddLevel(map, $"encoder.down_blocks.{level}", $"encoder.down.{level}", "downsampler", "downsample", has);
            AddLevel(map, $"decoder.up_blocks.{level}", $"decoder.up.{levels - 1 - level}", "upsampler", "upsample", has);
        }

        return map;
    }

    /// <summary>The names of OpenCLIP's text encoder, but for the fused in_proj, which <see cref="OpenClip"/> splits.</summary>
    /// <inheritdoc cref="UNet"/>
    public static NameMap TextEncoder(Func<string, bool> has)
    {
        var map = new NameMap();
        map.Add("text_model.embeddings.token_embedding", "token_embedding");
        map.Add("text_model.embeddings.position_embedding.weight", "positional_embedding");
        map.Add("text_model.final_layer_norm", "ln_final");
        map.Add("text_projection.weight", "text_projection");
        var layers = Count(layer => has($"transformer.resblocks.{layer}.ln_1.weight")
            || has($"text_model.encoder.layers.{layer}.layer_norm1.weight"));
        for (var layer = 0; layer < layers; layer++)
        {
            var (folder, file) = ($"text_model.encoder.layers.{layer}", $"transformer.resblocks.{layer}");
            map.Add($"{folder}.layer_norm1", $"{file}.ln_1");
            map.Add($"{folder}.layer_norm2", $"{file}.ln_2");
            map.Add($"{folder}.self_attn", $"{file}.attn");
            map.Add($"{folder}.mlp.fc1", $"{file}.mlp.c_fc");
            map.Add($"{folder}.mlp.fc2", $"{file}.mlp.c_proj");
        }

        return map;
    }

    /// <summary>Layers of each level on the way down.</summary>
    private static List<int> Levels(Func<string, bool> has)
    {
        if (has("down_blocks.0.resnets.0.conv1.weight"))
        {
            var count = Count(level => has($"down_blocks.{level}.resnets.0.conv1.weight"));
            return [.. Enumerable.Range(0, count).Select(level =>
                Count(layer => has($"down_blocks.{level}.resnets.{layer}.conv1.weight")))];
        }

        var levels = new List<int> { 0 };
        for (var input = 1; ; input++)
        {
            if (has($"input_blocks.{input}.0.op.weight"))
                levels.Add(0);
            else if (has($"input_blocks.{input}.0.in_layers.2.weight"))
                levels[^1]++;
            else
                return levels;
        }
    }

    private static void AddLevel(
        NameMap map, string folder, string file, string folderSampler, string fileSampler, Func<string, bool> has)
    {
        var layers = Count(layer => has($"{folder}.resnets.{layer}.conv1.weight") || has($"{file}.block.{layer}.conv1.weight"));
        for (var layer = 0; layer < layers; layer++)
        {
            map.Add($"{folder}.resnets.{layer}", $"{file}.block.{layer}");
            map.Add($"{folder}.resnets.{layer}.conv_shortcut", $"{file}.block.{layer}.nin_shortcut");
        }

        map.Add($"{folder}.{folderSampler}s.0.conv", $"{file}.{fileSampler}.conv");
    }

    private static void AddResidual(NameMap map, string folder, string file)
    {
        foreach (var (inFolder, inFile) in Residual)
            map.Add($"{folder}.{inFolder}", $"{file}.{inFile}");
    }

    internal static int Count(Func<int, bool> exists)
    {
        var count = 0;
        while (exists(count))
            count++;
        return count;
    }
}

/// <summary>
/// Names of modules in two layouts: that of diffusers' folders, and the original one of one-file checkpoints. A tensor takes the name of
/// its innermost listed module; the rest of its name is the same in both layouts.
/// </summary>
internal sealed class NameMap
{
    private readonly Dictionary<string, string> _toFolder = [], _toFile = [];

    public void Add(string folder, string file)
    {
        _toFolder[file] = folder;
        _toFile[folder] = file;
    }

    /// <summary>The name in a folder; the name itself if no module of it is listed.</summary>
    public string ToFolder(string name) => Map(_toFolder, name);

    /// <summary>The name in a file; the name itself if no module of it is listed.</summary>
    public string ToFile(string name) => Map(_toFile, name);

    private static string Map(Dictionary<string, string> modules, string name)
    {
        for (var end = name.Length; end > 0; end = name.LastIndexOf('.', end - 1))
        {
            if (modules.TryGetValue(name[..end], out var module))
                return module + name[end..];
        }

        return name;
    }
}
