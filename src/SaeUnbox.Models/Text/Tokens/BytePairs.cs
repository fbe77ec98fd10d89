namespace SaeUnbox.Models;

/// <summary>
/// Byte-pair encoding (Sennrich et al., arXiv 1508.07909) with an end-of-word mark: of all neighbours the pair of the lowest rank
/// is joined wherever it stands, from left to right, until no pair has a rank. A heap over a linked list: n log n for a word of n.
/// </summary>
internal sealed class BytePairs
{
    public const string EndOfWord = "</w>";

    private const int Unknown = -1, Gone = -2;

    private readonly Dictionary<string, int> _symbols = [];
    private readonly List<string> _names = [];
    private readonly Dictionary<(int Left, int Right), (int Rank, int Joined)> _merges = [];

    /// <param name="merges">Pairs in the order of their ranks.</param>
    public BytePairs(IEnumerable<(string Left, string Right)> merges)
    {
        var rank = 0;
        // A pair that is listed twice has its last rank.
        foreach (var (left, right) in merges) _merges[(Symbol(left), Symbol(right))] = (rank++, Symbol(left + right));
    }

    /// <summary>The pieces of a word spelt in the byte alphabet; the last one ends in &lt;/w&gt;.</summary>
    public IReadOnlyList<string> Split(string word)
    {
        var pieces = new Piece[word.Length];
        for (var i = 0; i < pieces.Length; i++)
        {
            var text = i == word.Length - 1 ? word[i] + EndOfWord : word[i].ToString();
            var symbol = _symbols.GetValueOrDefault(text, Unknown);
            pieces[i] = new Piece { Symbol = symbol, Text = symbol == Unknown ? text : null, Previous = i - 1, Next = i + 1 };
        }
        Join(pieces);
        var result = new List<string>();
        for (var i = 0; i < pieces.Length; i = pieces[i].Next) result.Add(pieces[i].Text ?? _names[pieces[i].Symbol]);
        return result;
    }

    private void Join(Piece[] pieces)
    {
        var queue = new PriorityQueue<(int Left, int LeftSymbol, int RightSymbol), (int Rank, int Left)>();
        var joined = new List<int>();
        for (var i = 0; i < pieces.Length; i++) Enqueue(i);

        while (queue.TryPeek(out _, out var lowest))
        {
            // Pairs that the joins of this rank create wait for its end, even those of a lower rank.
            while (queue.TryPeek(out var pair, out var next) && next.Rank == lowest.Rank)
            {
                queue.Dequeue();
                if (TryJoin(pieces, pair.Left, pair.LeftSymbol, pair.RightSymbol)) joined.Add(pair.Left);
            }
            foreach (var left in joined)
            {
                Enqueue(left);
                if (pieces[left].Previous >= 0) Enqueue(pieces[left].Previous);
            }
            joined.Clear();
        }

        void Enqueue(int left)
        {
            var right = pieces[left].Next;
            if (right >= pieces.Length) return;
            var (leftSymbol, rightSymbol) = (pieces[left].Symbol, pieces[right].Symbol);
            if (!_merges.TryGetValue((leftSymbol, rightSymbol), out var merge)) return;
            queue.Enqueue((left, leftSymbol, rightSymbol), (merge.Rank, left));
        }
    }

    private bool TryJoin(Piece[] pieces, int left, int leftSymbol, int rightSymbol)
    {
        var right = pieces[left].Next;
        if (right >= pieces.Length || pieces[left].Symbol != leftSymbol || pieces[right].Symbol != rightSymbol) return false;
        var after = pieces[right].Next;
        pieces[left].Symbol = _merges[(leftSymbol, rightSymbol)].Joined;
        pieces[left].Next = after;
        pieces[right].Symbol = Gone;
        if (after < pieces.Length) pieces[after].Previous = left;
        return true;
    }

    private int Symbol(string name)
    {
        if (_symbols.TryGetValue(name, out var symbol)) return symbol;
        _names.Add(name);
        return _symbols[name] = _names.Count - 1;
    }

    private struct Piece
    {
        public int Symbol, Previous, Next;
        public string? Text;
    }
}
