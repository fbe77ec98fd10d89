using System.Text.Json;
using System.Text.Json.Serialization;
using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Training;

/// <summary>All options of training unbox-mini. Equal options give equal models, except for rounding.</summary>
public sealed record MiniTrainingOptions
{
    public int Seed { get; init; } = 20221022;

    /// <summary>Side of the pictures in pixels. The stages of the decoder decide which share of it is the side of the latents.</summary>
    public int PictureSize { get; init; } = 256;

    /// <summary>Side of the pictures that <see cref="LatentCode"/> codes: the pictures, reduced to 4 x 4 pixels per cell.</summary>
    [JsonIgnore]
    public int CodedSize => PictureSize / Reduction;

    /// <summary>Side of a square of pixels that are averaged into one of the coded picture.</summary>
    [JsonIgnore]
    internal int Reduction => 1 << (Decoder.Blocks.Count - 3);

    public SceneMix Scenes { get; init; } = new();

    public LatentOptions Latents { get; init; } = new();

    public DecoderOptions Decoder { get; init; } = new();

    public NetworkOptions Network { get; init; } = new();

    public AutoencoderOptions Autoencoders { get; init; } = new();

    public MiniEvaluationOptions Evaluation { get; init; } = new();

    public MiniAtlasOptions Atlas { get; init; } = new();
}

/// <summary>The atlas of the trained model.</summary>
public sealed record MiniAtlasOptions
{
    /// <summary>Number of captions to run.</summary>
    public int Captions { get; init; } = 440;

    public int Seed { get; init; } = 5000;

    /// <summary>Pictures kept for each feature.</summary>
    public int TopPictures { get; init; } = 4;

    /// <summary>Side of a kept picture in pixels.</summary>
    public int PictureSide { get; init; } = 108;
}

/// <summary>The linear code of pictures.</summary>
public sealed record LatentOptions
{
    /// <summary>Number of scenes to find the principal components from.</summary>
    public int Scenes { get; init; } = 400;

    /// <summary>The decoder gets latents divided by this, because AutoencoderTiny clamps its input softly at 3.</summary>
    public double ScalingFactor { get; init; } = 3;
}

/// <summary>The decoder, an AutoencoderTiny, and its training.</summary>
public sealed record DecoderOptions
{
    public int Width { get; init; } = 24;

    /// <summary>Number of residual blocks at each size, from that of the latents to that of the picture. Each size is twice the one
    /// before; there are three (4 pixels per cell) to five (16). Sizes without blocks at the end cost little.</summary>
    public IReadOnlyList<int> Blocks { get; init; } = [3, 2, 0];

    public int Steps { get; init; } = 4000;

    public int Batch { get; init; } = 12;

    /// <summary>Side of a training crop in latent cells.</summary>
    public int Crop { get; init; } = 16;

    public double LearningRate { get; init; } = 2e-3;

    public int WarmUp { get; init; } = 50;

    public double WeightDecay { get; init; } = 1e-4;

    /// <summary>Standard deviation of noise added to the latents, which stands for errors of the U-Net.</summary>
    public double LatentNoise { get; init; } = .08;

    /// <summary>Share of pictures whose latents are drawn by the U-Net of the model that the training starts from, and not coded, so
    /// that the decoder learns to mend its errors. Without such a model there are none.</summary>
    public double DrawnShare { get; init; }

    public double MeanSquareWeight { get; init; } = 2;

    /// <summary>Weight of the loss over differences of neighbouring pixels, which keeps edges sharp.</summary>
    public double EdgeWeight { get; init; } = .5;

    public double ClipNorm { get; init; } = 1;

    public int CheckpointEvery { get; init; } = 500;
}

/// <summary>The U-Net and the text encoders, which are trained together.</summary>
public sealed record NetworkOptions
{
    public IReadOnlyList<int> Channels { get; init; } = [16, 48, 128];

    public IReadOnlyList<int> Layers { get; init; } = [1, 1, 2];

    public IReadOnlyList<int> TransformerLayers { get; init; } = [1, 0, 1];

    public IReadOnlyList<int> Heads { get; init; } = [1, 1, 2];

    public int NormGroups { get; init; } = 8;

    public int TimeIdChannels { get; init; } = 32;

    public int TextWidth { get; init; } = 64;

    public int TextLayers { get; init; } = 2;

    public int TextHeads { get; init; } = 2;

    public int Steps { get; init; } = 10000;

    /// <summary>Pictures per worker and step.</summary>
    public int Batch { get; init; } = 8;

    /// <summary>Threads that compute gradients, each on its own batch. The gradients are averaged.</summary>
    public int Workers { get; init; } = 2;

    /// <summary>Learning rate of Muon, for matrices. AdamW trains the other weights with half of it.</summary>
    public double LearningRate { get; init; } = 4e-3;

    public int WarmUp { get; init; } = 60;

    public double WeightDecay { get; init; } = .01;

    public double ClipNorm { get; init; } = 2;

    /// <summary>Decay of the running average of the weights.</summary>
    public double Averaging { get; init; } = .998;

    /// <summary>Weight of the absolute error, relative to the squared error.</summary>
    public double AbsoluteWeight { get; init; } = .3;

    /// <summary>Weight of latent cells with a thing. Things are small, and would be blurred without it.</summary>
    public double ThingWeight { get; init; } = 3;

    /// <summary>Weight of the cross entropy of the label heads.</summary>
    public double LabelWeight { get; init; } = 2;

    /// <summary>Initial factor on the patches of the noise. It falls to 1 over <see cref="AmplifiedShare"/> of the run.</summary>
    public double Amplification { get; init; } = 3;

    public double AmplifiedShare { get; init; } = .4;

    /// <summary>Share of the run after which some steps hide the text from later transformers.</summary>
    public double CutFrom { get; init; } = .04;

    /// <summary>Share of the run after which swap steps start.</summary>
    public double SwapFrom { get; init; } = .08;

    /// <summary>Share of the run after which paint steps start.</summary>
    public double PaintFrom { get; init; } = .16;

    /// <summary>Share of swap steps after their start.</summary>
    public double SwapShare { get; init; } = .25;

    /// <summary>Share of paint steps after their start.</summary>
    public double PaintShare { get; init; } = .42;

    /// <summary>Least strength of painting, in units of the site's mean norm. Strengths are uniform on a logarithmic scale.</summary>
    public double LeastStrength { get; init; } = .7;

    /// <summary>Greatest strength of painting, in the same units.</summary>
    public double GreatestStrength { get; init; } = 5;

    /// <summary>Number of a training that started from another, so that each gets different scenes.</summary>
    public int Round { get; init; }

    public int CheckpointEvery { get; init; } = 250;

    public int EvaluationPictures { get; init; } = 64;
}

/// <summary>The sparse autoencoders of the four sites, and their training.</summary>
public sealed record AutoencoderOptions
{
    /// <summary>Pictures to collect activations from. Each gives 256 vectors per site.</summary>
    public int Pictures { get; init; } = 800;

    public int Features { get; init; } = 512;

    public int K { get; init; } = 8;

    public int AuxK { get; init; } = 64;

    /// <summary>0 keeps those of the model that the training starts from as they are.</summary>
    public long Steps { get; init; } = 1500;

    public int Batch { get; init; } = 2048;

    public double LearningRate { get; init; } = 2e-3;

    public int WarmUp { get; init; } = 50;

    /// <summary>A feature that was not active for this many vectors is dead, and gets an auxiliary loss.</summary>
    public long DeadAfterVectors { get; init; } = 200_000;
}

/// <summary>Options as a JSON file. Missing ones keep their defaults; unknown ones are an error.</summary>
public static class MiniTrainingOptionsFile
{
    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        ReadCommentHandling = JsonCommentHandling.Skip,
        RespectNullableAnnotations = true,
        Converters = { new WholeNumberConverter<int>(), new WholeNumberConverter<long>() },
    };

    /// <exception cref="CheckpointException">The file is missing, or contains something else.</exception>
    public static MiniTrainingOptions Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<MiniTrainingOptions>(File.ReadAllText(path), Format)
                ?? throw new CheckpointException($"'{path}' holds no training options.");
        }
        catch (JsonException exception)
        {
            var fault = exception.InnerException is JsonException
                ? "it is not JSON"
                : $"{exception.Path} is unknown, or has no usable value";
            var reason = $"{fault} (line {exception.LineNumber + 1})";
            throw new CheckpointException($"'{path}' holds no training options: {reason}.", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"The training options '{path}' cannot be read: {exception.Message}", exception);
        }
    }

    public static void Write(string path, MiniTrainingOptions options) =>
        AtomicFile.WriteAllText(path, JsonSerializer.Serialize(options, Format) + "\n");
}
