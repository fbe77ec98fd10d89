using System.Text.RegularExpressions;

namespace SaeUnbox.Core;

/// <summary>A word of a prompt that the model does not know.</summary>
/// <param name="Instead">Known words that may be meant, the likeliest first; may be empty.</param>
public sealed record UnknownWord(string Word, IReadOnlyList<string> Instead);

/// <summary>All words of a model that learned only a few, and what visitors write in their place. Case does not count.</summary>
public sealed partial class Vocabulary
{
    private const int MaxInstead = 3, MaxCompletions = 6, ShortestUnknown = 3, ShortestOther = 3;
    private readonly Dictionary<string, string[]> _others; // of each known word

    private Vocabulary(Dictionary<string, string[]> others) => _others = others;

    /// <summary>The known words in the order of the alphabet.</summary>
    public IEnumerable<string> Words => _others.Keys.Order(StringComparer.Ordinal);

    /// <param name="lines">A known word each, which may be followed by a colon and other words for it: "house: home villa".</param>
    public static Vocabulary Parse(IEnumerable<string> lines) => new(lines.Select(line => line.Split(':'))
        .Where(parts => parts[0].Trim().Length > 0)
        .ToDictionary(parts => parts[0].Trim(), parts => parts.Length < 2 ? [] : Split(parts[1]), StringComparer.OrdinalIgnoreCase));

    /// <summary>The words of a prompt that the model does not know, each once. Words of one or two letters are passed over.</summary>
    public IReadOnlyList<UnknownWord> UnknownIn(string prompt) =>
        [.. Word().Matches(prompt).Select(match => match.Value).Where(word => word.Length >= ShortestUnknown && !_others.ContainsKey(word))
            .Distinct(StringComparer.OrdinalIgnoreCase).Select(word => new UnknownWord(word, Instead(word)))];

    /// <summary>Known words that the unfinished word at the prompt's end may become.</summary>
    public IReadOnlyList<string> Completions(string prompt)
    {
        var start = LastWord().Match(prompt).Value;
        return start.Length == 0 || _others.ContainsKey(start) ? [] : [.. Words.Where(IsMeant).Take(MaxCompletions)];

        bool IsMeant(string word) => StartsWith(word) || (start.Length >= ShortestOther && _others[word].Any(StartsWith));

        bool StartsWith(string word) => word.StartsWith(start, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The prompt with its unfinished last word completed.</summary>
    public static string Complete(string prompt, string word) => LastWord().Replace(prompt, $"{word} ", 1);

    /// <summary>The prompt with a word replaced wherever it stands.</summary>
    public static string Replace(string prompt, string word, string other) =>
        Word().Replace(prompt, match => match.Value.Equals(word, StringComparison.OrdinalIgnoreCase) ? other : match.Value);

    private IReadOnlyList<string> Instead(string word)
    {
        var meant = Words.Where(known => _others[known].Contains(word, StringComparer.OrdinalIgnoreCase)).ToList();
        // In a short word only a swap of letters counts: "car" is no misspelt "cat".
        var far = word.Length / 3;
        var near = Words.Where(known => known.Length >= ShortestUnknown)
            .Select(known => (Word: known, Distance: Distance(word.ToLowerInvariant(), known.ToLowerInvariant())))
            .Where(one => one.Distance <= far && (word.Length > ShortestUnknown || one.Word.Order().SequenceEqual(word.Order())))
            .OrderBy(one => one.Distance).Select(one => one.Word);
        return [.. (meant.Count > 0 ? meant : near).Take(MaxInstead)];
    }

    // Letters to insert, to delete, to change or to swap (optimal string alignment).
    private static int Distance(string from, string to)
    {
        var cost = new int[from.Length + 1, to.Length + 1];
        for (var i = 0; i <= from.Length; i++)
            for (var j = 0; j <= to.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    cost[i, j] = i + j;
                    continue;
                }
                var change = cost[i - 1, j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
                cost[i, j] = Math.Min(change, Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1);
                if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
            }
        return cost[from.Length, to.Length];
    }

    private static string[] Split(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    [GeneratedRegex(@"[\p{L}\p{M}]+")]
    private static partial Regex Word();

    [GeneratedRegex(@"[\p{L}\p{M}]+$")]
    private static partial Regex LastWord();
}
