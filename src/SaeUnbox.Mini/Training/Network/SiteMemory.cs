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

    public SiteMemory(string site, long channels, FeatureDirections features)
    {
        (_site, _features) = (site, features);
        Mean = zeros(channels).DetachFromDisposeScope();
        Norm = ones(1).DetachFromDisposeScope();
        Bank = zeros([SceneElement.All.Count, Examples, channels]).DetachFromDisposeScope();
        Counts = zeros([SceneElement.All.Count], ScalarType.Int64).DetachFromDisposeScope();
    }

    /// <summary>[channels].</summary>
    public Tensor Mean { get; }

    /// <summary>[1]: the mean distance of deltas from <see cref="Mean"/>.</summary>
    public Tensor Norm { get; }

    private Tensor Bank { get; }

    private Tensor Counts { get; }

    public IEnumerable<KeyValuePair<string, Tensor>> State =>
    [
        new($"memory.{_site}.mean", Mean), new($"memory.{_site}.norm", Norm), new($"memory.{_site}.bank", Bank), new($"memory.{_site}.counts", Counts),
    ];

    /// <summary>Learns from deltas [B, channels, 16, 16] of unedited pictures with the given labels.</summary>
    public void Learn(Random random, Tensor deltas, IReadOnlyList<byte[]> labels, bool isEarly)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var rows = deltas.permute(0, 2, 3, 1).reshape(-1, deltas.shape[1]);
        var share = isEarly ? .2 : .02;
        Mean.mul_(1 - share).add_(rows.mean([0L]), share);
        Norm.mul_(1 - share).add_((rows - Mean).norm(1).mean(), share);
        const int cells = CellMask.Side * CellMask.Side;
        for (var element = 0; element < SceneElement.All.Count; element++)
        {
            var wanted = SceneElement.All[element].Labels;
            var found = Enumerable.Range(0, labels.Count * cells)
                .Where(i => wanted.All(label => labels[i / cells][label * cells + i % cells] == 1)).ToArray();
            if (found.Length == 0)
                continue;
            var count = Counts[element].item<long>();
            Bank[element, count % Examples].copy_(rows[found[random.Next(found.Length)]]);
            Counts[element].fill_(count + 1);
        }
    }

    /// <summary>
    /// A direction of unit length for an element: that of the label head, the mean of the examples, or a single example, so that
    /// whatever a dictionary may find of an element stands for the whole of it; where a dictionary is known, often that of a feature.
    /// </summary>
    public Tensor Direction(Random random, int element, Tensor head)
    {
        if (_features.Draw(random, element) is { } feature)
            return feature;
        using var scope = NewDisposeScope();
        var known = (int)Math.Min(Examples, Counts[element].item<long>());
        var choice = random.NextDouble();
        var direction = known == 0 || choice < .25 ? OfHead(random, element, head)
            : choice < .55 ? MeanDirection(element)
            : Bank[element, random.Next(known)] - Mean;
        return Unit(direction).MoveToOuterDisposeScope();
    }

    /// <summary>From the mean of all deltas to the mean of an element's examples, of unit length.</summary>
    public Tensor MeanDirection(int element)
    {
        using var scope = NewDisposeScope();
        var known = (int)Math.Clamp(Counts[element].item<long>(), 1, Examples);
        return Unit(Bank[element].narrow(0, 0, known).mean([0L]) - Mean).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        foreach (var (_, tensor) in State)
            tensor.Dispose();
        _features.Dispose();
    }

    private static Tensor Unit(Tensor direction) => direction / (direction.norm() + 1e-6);

    private static Tensor OfHead(Random random, int element, Tensor head)
    {
        var sum = zeros(head.shape[1]);
        foreach (var (i, label) in SceneElement.All[element].Labels.Index())
        {
            sum = sum + Unit(head[label]) * (i == 0 ? 1 : .4 + .6 * random.NextDouble());
        }
        return sum;
    }
}
