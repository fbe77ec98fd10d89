using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// What is known of a site's deltas: their running mean, how far from it they typically are, and recent examples of each scene
/// element from cells where it was drawn. Paint steps take their directions from here.
/// </summary>
internal sealed class SiteMemory : IDisposable
{
    private const int Examples = 32;
    private readonly string _site;
    private readonly FeatureDirections _features;

    public SiteMemory(string site, long channels, FeatureDirections features, Device device)
    {
        (_site, _features) = (site, features);
        Mean = zeros(channels, device: device).DetachFromDisposeScope();
        Norm = ones(1, device: device).DetachFromDisposeScope();
        Bank = zeros([SceneElement.All.Count, Examples, channels], device: device).DetachFromDisposeScope();
        Counts = zeros([SceneElement.All.Count], ScalarType.Int64).DetachFromDisposeScope();
    }

    /// <summary>[channels].</summary>
    public Tensor Mean { get; }

    /// <summary>[1]: the mean distance of deltas from <see cref="Mean"/>.</summary>
    public Tensor Norm { get; }

    private Tensor Bank { get; }

    /// <summary>Examples seen of each element; on the processor, where choices are made.</summary>
    private Tensor Counts { get; }

    public IEnumerable<KeyValuePair<string, Tensor>> State =>
    [
        new($"memory.{_site}.mean", Mean), new($"memory.{_site}.norm", Norm), new($"memory.{_site}.bank", Bank), new($"memory.{_site}.counts", Counts),
    ];

    /// <summary>Learns from deltas [B, channels, 16, 16] of unedited pictures.</summary>
    /// <param name="examples">For each picture a cell of each element that is in it, else -1.</param>
    public void Learn(Random random, Tensor deltas, IReadOnlyList<int[]> examples, bool isEarly)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var rows = deltas.permute(0, 2, 3, 1).reshape(-1, deltas.shape[1]);
        var share = isEarly ? .2 : .02;
        Mean.MultiplyInPlace(1 - share).Accumulate(rows.mean([0L]), share);
        Norm.MultiplyInPlace(1 - share).Accumulate((rows - Mean).norm(1).mean(), share);
        var counts = Counts.data<long>().ToArray();
        var (slots, found) = (new List<long>(), new List<long>());
        for (var element = 0; element < counts.Length; element++)
        {
            var holders = Enumerable.Range(0, examples.Count).Where(picture => examples[picture][element] >= 0).ToArray();
            if (holders.Length == 0)
                continue;
            var picture = holders[random.Next(holders.Length)];
            found.Add(picture * CellMask.Side * CellMask.Side + examples[picture][element]);
            slots.Add(element * Examples + counts[element]++ % Examples);
        }
        Bank.view(-1, Bank.shape[2]).index_copy_(0, tensor(slots.ToArray(), device: Bank.device), rows.index_select(0, tensor(found.ToArray(), device: Bank.device)));
        Counts.copy_(tensor(counts));
    }

    /// <summary>
    /// Directions of unit length for elements, [elements, channels]: of the label head, the mean of the examples, or a single example,
    /// so that whatever a dictionary may find of an element stands for the whole of it; where a dictionary is known, often of a feature.
    /// </summary>
    /// <param name="head">Rows of the label head, [labels, channels].</param>
    public Tensor Directions(Random random, IReadOnlyList<int> elements, Tensor head)
    {
        using var scope = NewDisposeScope();
        // Each direction is a mixture of rows of one table: labels, then examples, then features.
        var table = cat([Units(head), (Bank - Mean).flatten(0, 1), _features.Directions.to(Bank.device)]);
        var (counts, rows, labels) = (Counts.data<long>().ToArray(), (int)table.shape[0], (int)head.shape[0]);
        var mixtures = new float[elements.Count * rows];
        foreach (var (i, element) in elements.Index())
        {
            var mixture = mixtures.AsSpan(i * rows, rows);
            if (_features.Draw(random, element) is { } feature)
            {
                mixture[labels + (int)(Bank.shape[0] * Examples) + feature] = 1;
                continue;
            }
            var known = (int)Math.Min(Examples, counts[element]);
            var examples = mixture.Slice(labels + element * Examples, known);
            var choice = random.NextDouble();
            if (known == 0 || choice < .25)
                foreach (var (place, label) in SceneElement.All[element].Labels.Index())
                    mixture[label] = place == 0 ? 1 : (float)(.4 + .6 * random.NextDouble());
            else if (choice < .55)
                examples.Fill(1f / known);
            else
                examples[random.Next(known)] = 1;
        }
        // Copied: managed memory is not aligned alike in every run, and the last bits of a product may depend on it.
        return Units(tensor(mixtures, device: Bank.device).clone().reshape(elements.Count, rows).mm(table)).MoveToOuterDisposeScope();
    }

    /// <summary>From the mean of all deltas to the mean of an element's examples, of unit length.</summary>
    public Tensor MeanDirection(int element)
    {
        using var scope = NewDisposeScope();
        var known = (int)Math.Clamp(Counts[element].item<long>(), 1, Examples);
        return Units(Bank[element].narrow(0, 0, known).mean([0L], keepdim: true) - Mean).squeeze(0).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        foreach (var (_, tensor) in State)
            tensor.Dispose();
        _features.Dispose();
    }

    private static Tensor Units(Tensor rows) => rows / rows.norm(1, keepdim: true).Plus(1e-6);
}
