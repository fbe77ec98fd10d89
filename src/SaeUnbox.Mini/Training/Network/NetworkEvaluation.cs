using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>Evaluates the averaged weights on scenes that were not trained on, with unamplified noise, and draws samples.</summary>
internal sealed class NetworkEvaluation(NetworkTraining training, MiniTrainingOptions options, LatentCode code, IAutoencoder decoder)
{
    private const int Purpose = 6, SheetPurpose = 7, MostColumns = 8, MostRows = 3;
    private const double Strength = 2.5;
    private readonly int _columns = Math.Min(MostColumns, options.Network.EvaluationPictures);

    /// <summary>The elements that the sheet shows painted, and where.</summary>
    private static readonly (string Name, CellMask Cells)[] Painted =
    [
        ("sea", CellMask.Box(10, 5, 5, 7)), ("snow", CellMask.Box(10, 5, 5, 7)),
        ("night", CellMask.Box(0, 4, 9, 8)), ("mosaic", CellMask.Box(4, 4, 8, 8)),
        ("red house", CellMask.Box(10, 6, 4, 4)), ("snowman", CellMask.Box(10, 6, 4, 4)),
        ("pine", CellMask.Box(10, 6, 4, 4)), ("yellow balloon", CellMask.Box(2, 6, 4, 4)),
    ];

    /// <summary>Mean squared error of the latents, which have unit variance.</summary>
    public double HeldOutError()
    {
        using var noGrad = no_grad();
        double sum = 0;
        for (var first = 0; first < options.Network.EvaluationPictures; first += _columns)
        {
            using var scope = NewDisposeScope();
            var batch = Draw(Purpose, first, _columns);
            sum += (Predict(batch) - batch.Latents).Square().mean().item<float>() * _columns;
        }
        return sum / options.Network.EvaluationPictures;
    }

    /// <summary>Writes a sheet: true pictures with those of the model below; then pictures without edits, and with an element painted at
    /// each site.</summary>
    public void SaveSheet(string path)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var sheet = new ContactSheet(options.CodedSize / 2);
        for (var row = 0; row < Math.Clamp(options.Network.EvaluationPictures / _columns, 1, MostRows); row++)
        {
            var batch = Draw(SheetPurpose, row * _columns, _columns);
            foreach (var sample in batch.Samples)
                sheet.Add(SceneRenderer.Render(sample.Scene, options.CodedSize).Rgb);
            sheet.Add(decoder.Decode(Predict(batch)));
        }
        var canvas = Draw(SheetPurpose, 1000, _columns);
        sheet.Add(decoder.Decode(Predict(canvas)));
        foreach (var site in Enumerable.Range(0, MiniSites.All.Count))
            sheet.Add(decoder.Decode(Paint(canvas, site)));
        sheet.Save(path, _columns);
    }

    private Tensor Paint(TrainingBatch batch, int site)
    {
        var (memory, network, painted) = (training.Memories[site], training.Averaged, Painted.Take(_columns).ToArray());
        var masks = TrainingBatch.Masks(painted.Select(one => one.Cells), network.Device);
        var elements = painted.Select(one => SceneElement.All.Index().First(element => element.Item.Name == one.Name).Index);
        var directions = stack(elements.Select(memory.MeanDirection));
        var added = directions.unsqueeze(-1).unsqueeze(-1) * masks * memory.Norm.Times(Strength);
        using var hook = network.UNet.Hook(MiniSites.All[site], (_, output) => output.Plus(added));
        return Predict(batch);
    }

    private Tensor Predict(TrainingBatch batch)
    {
        var text = training.Averaged.Encode(batch.Ids, batch.Ids2);
        return training.Averaged.Predict(batch.Noise, text.Hidden, text.Pooled);
    }

    private TrainingBatch Draw(int purpose, int first, int count) => TrainingBatch.Of(
        [.. Enumerable.Range(first, count).Select(i => TrainingSample.Draw(RandomAt.Place(options.Seed, purpose, i), options, code, 1))],
        training.Tokenizer, training.Tokenizer2, training.Averaged.Device);
}
