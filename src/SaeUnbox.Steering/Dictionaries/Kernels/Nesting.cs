namespace SaeUnbox.Steering;

/// <summary>
/// Nested dictionaries: each prefix of the features reconstructs on its own. A feature of group g (the first prefix that
/// holds it) takes part in the reconstructions g, g + 1, …; one group of all n features is the plain autoencoder.
/// </summary>
internal sealed class Nesting
{
    private readonly int[] _groupOf;

    public Nesting(IReadOnlyList<int> prefixSizes)
    {
        PrefixSizes = prefixSizes;
        _groupOf = new int[prefixSizes[^1]];
        var start = 0;
        for (var group = 0; group < prefixSizes.Count; group++)
        {
            Array.Fill(_groupOf, group, start, prefixSizes[group] - start);
            start = prefixSizes[group];
        }
    }

    public IReadOnlyList<int> PrefixSizes { get; }

    public int Groups => PrefixSizes.Count;

    public int[] GroupArray => _groupOf;

    public static Nesting None(int features) => new([features]);
}
