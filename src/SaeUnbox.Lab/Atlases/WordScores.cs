using System.Text.RegularExpressions;

namespace SaeUnbox.Lab;

/// <summary>
/// Words that captions of pictures in which a feature is active have more often than captions at large: weighted log-odds with a prior
/// from all captions (Monroe, Colaresi and Quinn 2008), each caption counting as much as the feature is active in it.
/// </summary>
public sealed partial class WordScores
{
    private const double PriorWeight = 20, Least = 1.6;
    private const int ShortestWord = 3;
    private static readonly HashSet<string> Common =
        [.. "and the with for from that this into over under above its are was has have one two some very near behind between front there".Split(' ')];

    private readonly Dictionary<string, int> _ids = [];
    private readonly List<string> _words = [];
    private readonly List<int[]> _captions = [];
    private readonly List<double> _counts = [];

    /// <summary>Takes a caption; returns its number.</summary>
    public int Add(string caption)
    {
        var words = Word().Matches(caption.ToLowerInvariant()).Select(match => match.Value).ToArray();
        var terms = words.Where(IsTelling).Concat(words.Zip(words.Skip(1)).Where(pair => IsTelling(pair.First) && IsTelling(pair.Second)).Select(pair => $"{pair.First} {pair.Second}"));
        var ids = terms.Distinct().Select(Id).ToArray();
        foreach (var id in ids)
            _counts[id]++;
        _captions.Add(ids);
        return _captions.Count - 1;
    }

    /// <summary>The most telling words of a feature, given how active it is in each caption's picture.</summary>
    /// <param name="weights">Captions by number, and the mean activation in each.</param>
    public IReadOnlyList<string> Best(IReadOnlyCollection<(int Caption, double Weight)> weights, int count)
    {
        var total = weights.Sum(one => one.Weight);
        if (total <= 0)
            return [];
        // Weights of mean 1: sums are then comparable with numbers of captions.
        var scale = weights.Count / total;
        var own = new Dictionary<int, double>();
        foreach (var (caption, weight) in weights)
            foreach (var id in _captions[caption])
                own[id] = own.GetValueOrDefault(id) + weight * scale;
        var (size, all, everything) = ((double)weights.Count, (double)_captions.Count, _counts.Sum());
        var scored = own.Select(word =>
        {
            var share = _counts[word.Key] / everything;
            var prior = PriorWeight * share;
            var (mine, theirs) = (word.Value + prior, _counts[word.Key] + prior);
            var odds = Math.Log(mine / (size + PriorWeight - mine + 1)) - Math.Log(theirs / (all + PriorWeight - theirs + 1));
            return (Word: _words[word.Key], Score: odds / Math.Sqrt(1 / mine + 1 / theirs));
        }).Where(word => word.Score > Least).OrderByDescending(word => word.Score).ThenBy(word => word.Word, StringComparer.Ordinal);
        var best = new List<string>();
        foreach (var (word, _) in scored)
        {
            // A pair says what its words say.
            if (best.Any(other => other.Split(' ').Contains(word) || word.Split(' ').Contains(other)))
                continue;
            best.Add(word);
            if (best.Count == count)
                break;
        }
        return best;
    }

    private static bool IsTelling(string word) => word.Length >= ShortestWord && !Common.Contains(word);

    private int Id(string word)
    {
        if (_ids.TryGetValue(word, out var id))
            return id;
        _words.Add(word);
        _counts.Add(0);
        return _ids[word] = _words.Count - 1;
    }

    [GeneratedRegex(@"[\p{L}\p{N}]+")]
    private static partial Regex Word();
}
