using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Options for converting a model between a folder and one file.</summary>
public sealed record ModelConversionOptions
{
    /// <inheritdoc cref="PipelineOptions.BasePath"/>
    public string? BasePath { get; init; }

    /// <inheritdoc cref="PipelineOptions.TokenizerFolder"/>
    public string? TokenizerFolder { get; init; }

    /// <inheritdoc cref="PipelineOptions.SchedulerFolder"/>
    public string? SchedulerFolder { get; init; }

    /// <inheritdoc cref="PipelineOptions.Loras"/>
    public IReadOnlyList<LoraFile> Loras { get; init; } = [];

    /// <inheritdoc cref="PipelineOptions.Note"/>
    public Action<string>? Note { get; init; }

    /// <summary>The type that floating-point weights are stored in; null to keep theirs.</summary>
    public Dtype? Dtype { get; init; }

    /// <summary>Called with the written share of the weights, from 0 to 1.</summary>
    public Action<double>? Progress { get; init; }

    /// <summary>Checked after each tensor. A cancelled conversion leaves nothing.</summary>
    public CancellationToken Cancellation { get; init; }
}

/// <summary>
/// Writes a model as a folder of diffusers or as one file in the original layout. Tensors are read and written one by one. A failed
/// conversion leaves nothing behind.
/// </summary>
public static class ModelConversion
{
    /// <summary>Writes the model at <paramref name="path"/>, a folder or a file, as a folder of diffusers.</summary>
    /// <param name="folder">The new folder. It must not exist, or be empty.</param>
    /// <exception cref="ModelException">The model or the folder is not usable.</exception>
    /// <exception cref="CheckpointException">Weights cannot be read or written.</exception>
    public static void ToFolder(string path, string folder, ModelConversionOptions? options = null)
    {
        options ??= new();
        using var model = Open(path, options);
        AtomicFolder.Write(folder, made =>
        {
            var progress = new Written(options, model);
            foreach (var name in model.Family.Networks)
            {
                using var part = model.Open(name, preferHalf: false);
                var target = Directory.CreateDirectory(Path.Combine(made, name)).FullName;
                WriteJson(Path.Combine(target, "config.json"), part.Config);
                var stem = name is OneFile.UNet or OneFile.Autoencoder ? "diffusion_pytorch_model" : "model";
                SafetensorsWriter.Write(Path.Combine(target, $"{stem}.safetensors"), part.Weights.Entries.Keys.Select(tensor =>
                    progress.Pending(part.Weights, tensor, tensor)));
            }

            foreach (var name in model.Family.Tokenizers)
                model.Tokenizer(name, TextCleaning.Ftfy).Save(Directory.CreateDirectory(Path.Combine(made, name)).FullName);
            var scheduler = SchedulerOf(model, options);
            WriteJson(Path.Combine(Directory.CreateDirectory(Path.Combine(made, "scheduler")).FullName, "scheduler_config.json"),
                scheduler);
            var index = model.Index.ToObject();
            index["scheduler"] = new JsonArray("diffusers", scheduler.Text("_class_name"));
            AtomicFile.WriteAllText(Path.Combine(made, "model_index.json"), index.ToJsonString(JsonFile.Indented));
        });
    }

    /// <summary>
    /// Writes the model at <paramref name="path"/>, a folder or a file, as one safetensors file in the original layout. Its header carries
    /// the configurations, which other programs ignore. Files have no place for a tokenizer.
    /// </summary>
    /// <returns>Whether the model has CLIP's own vocabulary, so that the file needs no tokenizer from elsewhere.</returns>
    /// <inheritdoc cref="ToFolder"/>
    public static bool ToFile(string path, string file, ModelConversionOptions? options = null)
    {
        options ??= new();
        using var model = Open(path, options);
        var progress = new Written(options, model);
        var parts =
            model.Family.Networks.ToDictionary(name => name, name => OriginalLayout.WithTextPrefix(model.Open(name, preferHalf: false)));
        try
        {
            var original = OriginalModel.Of(model.Family, ClipTextConfig.From(parts[OneFile.First].Config));
            var metadata = new Dictionary<string, string> { ["format"] = "pt" };
            foreach (var (name, part) in parts)
                Embed($"{name}/config.json", part.Config);
            Embed("model_index.json", model.Index);
            Embed("scheduler/scheduler_config.json", SchedulerOf(model, options));
            SafetensorsWriter.Write(
                file, parts.SelectMany(part => OriginalLayout.Tensors(original, part.Key, part.Value.Weights, progress)), metadata);
            return model.Family.Tokenizers.All(name => model.Tokenizer(name, TextCleaning.Ftfy)
                .IsSameAs(ClipTokenizer.BuiltIn(original.PadsWithExclamation.Contains(name))));

            void Embed(string name, JsonConfig json) => metadata[OneFileModel.EmbeddedPrefix + name] = json.ToObject().ToJsonString();
        }
        finally
        {
            foreach (var part in parts.Values)
                part.Dispose();
        }
    }

    private static IModelParts Open(string path, ModelConversionOptions options) => ModelParts.Open(path, new PipelineOptions
    {
        BasePath = options.BasePath,
        TokenizerFolder = options.TokenizerFolder,
        Loras = options.Loras,
        Note = options.Note,
    });

    private static JsonConfig SchedulerOf(IModelParts model, ModelConversionOptions options) => options.SchedulerFolder is { } folder
        ? JsonConfig.Load(Path.Combine(folder, "scheduler_config.json"))
        : model.Scheduler;

    private static void WriteJson(string path, JsonConfig json) =>
        AtomicFile.WriteAllText(path, json.ToObject().ToJsonString(JsonFile.Indented));

    /// <summary>Counts what is written, and converts it.</summary>
    internal sealed class Written
    {
        private readonly ModelConversionOptions _options;
        private readonly long _all;
        private long _done;

        public Written(ModelConversionOptions options, IModelParts model)
        {
            _options = options;
            foreach (var name in model.Family.Networks)
            {
                using var part = model.Open(name, preferHalf: false);
                _all += part.Weights.Entries.Values.Sum(entry => entry.Count);
            }
        }

        private static ScalarType TypeOf(Dtype dtype) => dtype switch
        {
            Core.Dtype.Bf16 => ScalarType.BFloat16,
            Core.Dtype.Fp16 => ScalarType.Float16,
            _ => ScalarType.Float32,
        };

        /// <summary>A tensor that is read when it is written.</summary>
        public PendingTensor Pending(Checkpoint weights, string source, string name) =>
            Pending(name, weights.Entries[source], weights.Entries[source].Shape, () => weights.Read(source));

        /// <param name="like">Gives the type.</param>
        /// <param name="read">Reads the tensor in its final shape.</param>
        public PendingTensor Pending(string name, TensorEntry like, long[] shape, Func<Tensor> read)
        {
            var type = _options.Dtype is { } dtype && like.Element.IsFloatingPoint ? TypeOf(dtype) : like.DType;
            return new PendingTensor(name, ElementType.For(type), shape, stream =>
            {
                _options.Cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                var tensor = read().to_type(type);
                TensorWriter.Write(stream, tensor);
                _options.Progress?.Invoke(Math.Min(1, (double)(_done += tensor.numel()) / Math.Max(1, _all)));
            });
        }
    }
}
