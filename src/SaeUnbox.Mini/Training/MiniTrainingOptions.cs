using System.Text.Json.Serialization;
using System.Text.Json;
using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Training;

/// <summary>Everything that decides what unbox-mini becomes. Equal options give equal models, but for the order of sums.</summary>
public sealed record MiniTrainingOptions
{
    public int Seed { get; init; } = 20221022;

    /// <summary>Side of the pictures in pixels; latents are a quarter of it.</summary>
    public int PictureSize { get; init; } = 256;

    public SceneMix Scenes { get; init; } = new();

    public LatentOptions Latents { get; init; } = new();

    public DecoderOptions Decoder { get; init; } = new();

    public NetworkOptions Network { get; init; } = new();

    public AutoencoderOptions Autoencoders { get; init; } = new();

    public MiniEvaluationOptions Evaluation { get; init; } = new();

    public MiniAtlasOptions Atlas { get; init; } = new();
}

/// <summary>What the atlas shows.</summary>
public sealed record MiniAtlasOptions
{
    /// <summary>Captions that are run; of each feature's pictures the strongest are kept.</summary>
    public int Captions { get; init; } = 440;

    public int Seed { get; init; } = 5000;

    public int TopPictures { get; init; } = 3;

    /// <summary>Side of a kept picture in pixels.</summary>
    public int PictureSide { get; init; } = 108;
}

/// <summary>The linear code of pictures.</summary>
public sealed record LatentOptions
{
    /// <summary>Scenes from which the principal components are found.</summary>
    public int Scenes { get; init; } = 400;

    /// <summary>The decoder sees latents divided by this, so that its soft limit at 3 does not bite.</summary>
    public double ScalingFactor { get; init; } = 3;
}

/// <summary>The decoder of AutoencoderTiny's form, and how it is trained.</summary>
public sealed record DecoderOptions
{
    public int Width { get; init; } = 24;

    /// <summary>Residual blocks at 1/4, 1/2 and full size.</summary>
    public IReadOnlyList<int> Blocks { get; init; } = [3, 2, 0];

    public int Steps { get; init; } = 4000;

    public int Batch { get; init; } = 12;

    /// <summary>Side of a training crop in latents.</summary>
    public int Crop { get; init; } = 16;

    public double LearningRate { get; init; } = 2e-3;

    public int WarmUp { get; init; } = 50;

    public double WeightDecay { get; init; } = 1e-4;

    /// <summary>Standard deviation of the noise on training latents: the U-Net's are not perfect either.</summary>
    public double LatentNoise { get; init; } = .08;

    public double MeanSquareWeight { get; init; } = 2;

    /// <summary>Weight of the differences between neighbouring pixels: it keeps edges sharp.</summary>
    public double EdgeWeight { get; init; } = .5;

    public double ClipNorm { get; init; } = 1;

    public int CheckpointEvery { get; init; } = 500;
}

/// <summary>The U-Net with its text encoders, and how they are trained together.</summary>
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

    /// <summary>Pictures of one worker in one step.</summary>
    public int Batch { get; init; } = 8;

    /// <summary>Threads that each work on a batch of their own; their gradients are averaged.</summary>
    public int Workers { get; init; } = 2;

    /// <summary>Of matrices, by Muon; all else learns at half of it, by AdamW.</summary>
    public double LearningRate { get; init; } = 4e-3;

    public int WarmUp { get; init; } = 60;

    public double WeightDecay { get; init; } = .01;

    public double ClipNorm { get; init; } = 2;

    /// <summary>The share the averaged weights keep at each step.</summary>
    public double Averaging { get; init; } = .998;

    public double AbsoluteWeight { get; init; } = .3;

    /// <summary>Weight of latents under a thing: things are small, and blur where they count no more than the sky.</summary>
    public double ThingWeight { get; init; } = 3;

    /// <summary>Weight of the label heads' cross entropy.</summary>
    public double LabelWeight { get; init; } = 2;

    /// <summary>What the noise's patches are multiplied by at first; it falls to 1 over <see cref="AmplifiedShare"/> of the run.</summary>
    public double Amplification { get; init; } = 3;

    public double AmplifiedShare { get; init; } = .4;

    /// <summary>Shares of the run after which text is cut, swaps begin and paint steps begin.</summary>
    public double CutFrom { get; init; } = .04;

    public double SwapFrom { get; init; } = .08;

    public double PaintFrom { get; init; } = .16;

    /// <summary>Shares of swap steps and of paint steps, once they have begun; the rest are plain.</summary>
    public double SwapShare { get; init; } = .25;

    public double PaintShare { get; init; } = .42;

    /// <summary>Strengths of painted directions in typical norms of the site, drawn evenly on a logarithmic scale.</summary>
    public double LeastStrength { get; init; } = .7;

    public double GreatestStrength { get; init; } = 5;

    /// <summary>Which training this is of those that went on from one another: each sees scenes of its own.</summary>
    public int Round { get; init; }

    public int CheckpointEvery { get; init; } = 250;

    public int EvaluationPictures { get; init; } = 64;
}

/// <summary>The sparse autoencoders of the four sites, and what they learn from.</summary>
public sealed record AutoencoderOptions
{
    /// <summary>Pictures whose activations are collected: 256 vectors each at every site.</summary>
    public int Pictures { get; init; } = 800;

    public int Features { get; init; } = 512;

    public int K { get; init; } = 8;

    public int AuxK { get; init; } = 64;

    public long Steps { get; init; } = 1500;

    public int Batch { get; init; } = 2048;

    public double LearningRate { get; init; } = 2e-3;

    public int WarmUp { get; init; } = 50;

    /// <summary>A feature silent for so many vectors is dead, and the auxiliary loss wakes it.</summary>
    public long DeadAfterVectors { get; init; } = 200_000;
}

/// <summary>Options as a JSON file: what it leaves out keeps its default, what it does not know is an error.</summary>
public static class MiniTrainingOptionsFile
{
    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, ReadCommentHandling = JsonCommentHandling.Skip,
        RespectNullableAnnotations = true,
    };

    /// <exception cref="CheckpointException">The file is missing or is no set of options.</exception>
    public static MiniTrainingOptions Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<MiniTrainingOptions>(File.ReadAllText(path), Format)
                ?? throw new CheckpointException($"'{path}' holds no training options.");
        }
        catch (JsonException exception)
        {
            throw new CheckpointException($"'{path}' holds no training options: {exception.Message.Split(". ")[0]} (line {exception.LineNumber + 1}).", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"The training options '{path}' cannot be read: {exception.Message}", exception);
        }
    }

    public static void Write(string path, MiniTrainingOptions options) => AtomicFile.WriteAllText(path, JsonSerializer.Serialize(options, Format) + "\n");
}
