using System.Globalization;
using System.Text;

namespace SaeUnbox.Diffusion;

/// <summary>
/// Normalization Form C (Unicode Standard Annex 15). string.Normalize returns its argument unchanged where the runtime works
/// without ICU (invariant globalization), so the algorithm is here, over the table canonical.txt.
/// </summary>
internal static class CanonicalForm
{
    private const int SyllableBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TrailCount = 28, SyllableCount = LeadCount * VowelCount * TrailCount;

    private static readonly Dictionary<int, int[]> Decompositions = [];
    private static readonly Dictionary<(int First, int Second), int> Compositions = [];
    private static readonly Dictionary<int, byte> Classes = [];

    static CanonicalForm()
    {
        foreach (var line in TextResource.Lines("canonical.txt"))
        {
            if (line.IndexOf('=') is var equals and > 0) AddClasses(line, equals);
            else AddDecomposition(line);
        }
    }

    public static string Compose(string text)
    {
        // Nothing below U+0300 combines or decomposes further than it already is.
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', '\u02FF')) return text;
        var points = Decompose(text);
        SortMarks(points);
        return Recompose(points);
    }

    private static List<int> Decompose(string text)
    {
        var points = new List<int>(text.Length + 16);
        for (int i = 0, length; i < text.Length; i += length)
        {
            Decompose(CodePoints.At(text, i, out length), points);
        }
        return points;
    }

    private static void Decompose(int codePoint, List<int> points)
    {
        var syllable = codePoint - SyllableBase;
        if (syllable is >= 0 and < SyllableCount)
        {
            points.Add(LeadBase + syllable / (VowelCount * TrailCount));
            points.Add(VowelBase + syllable % (VowelCount * TrailCount) / TrailCount);
            if (syllable % TrailCount != 0) points.Add(TrailBase + syllable % TrailCount);
        }
        else if (Decompositions.TryGetValue(codePoint, out var parts))
        {
            foreach (var part in parts) Decompose(part, points);
        }
        else
        {
            points.Add(codePoint);
        }
    }

    // A stable sort of each run of marks: an insertion sort would be quadratic on a hostile run.
    private static void SortMarks(List<int> points)
    {
        for (var start = 0; start < points.Count; start++)
        {
            if (ClassOf(points[start]) == 0) continue;
            var end = start + 1;
            while (end < points.Count && ClassOf(points[end]) != 0) end++;
            if (end - start > 1)
            {
                var sorted = points.GetRange(start, end - start).OrderBy(ClassOf).ToArray();
                for (var i = 0; i < sorted.Length; i++) points[start + i] = sorted[i];
            }
            start = end;
        }
    }

    private static string Recompose(List<int> points)
    {
        var kept = 0;
        int starter = -1, lastClass = 0;
        for (var i = 0; i < points.Count; i++)
        {
            var point = points[i];
            var combiningClass = ClassOf(point);
            // A mark is blocked from its starter by an earlier one of the same or a higher class.
            var reachable = starter >= 0 && (starter == kept - 1 || (lastClass != 0 && lastClass < combiningClass));
            if (reachable && TryCompose(points[starter], point, out var composed))
            {
                points[starter] = composed;
                continue;
            }
            if (combiningClass == 0) starter = kept;
            lastClass = combiningClass;
            points[kept++] = point;
        }

        var text = new StringBuilder(kept);
        for (var i = 0; i < kept; i++) text.AppendCodePoint(points[i]);
        return text.ToString();
    }

    private static bool TryCompose(int first, int second, out int composed)
    {
        int lead = first - LeadBase, vowel = second - VowelBase, syllable = first - SyllableBase, trail = second - TrailBase;
        if (lead is >= 0 and < LeadCount && vowel is >= 0 and < VowelCount)
        {
            composed = SyllableBase + (lead * VowelCount + vowel) * TrailCount;
            return true;
        }
        if (syllable is >= 0 and < SyllableCount && syllable % TrailCount == 0 && trail is > 0 and < TrailCount)
        {
            composed = first + trail;
            return true;
        }
        return Compositions.TryGetValue((first, second), out composed);
    }

    private static int ClassOf(int codePoint) => codePoint < 0x300 ? 0 : Classes.GetValueOrDefault(codePoint);

    private static void AddDecomposition(string line)
    {
        var points = line.TrimStart('!').Split(' ').Select(Hex).ToArray();
        Decompositions.Add(points[0], points[1..]);
        if (line[0] != '!') Compositions.Add((points[1], points[2]), points[0]);
    }

    private static void AddClasses(string line, int equals)
    {
        var dash = line.IndexOf('-');
        var combiningClass = byte.Parse(line.AsSpan(equals + 1), CultureInfo.InvariantCulture);
        for (var point = Hex(line[..dash]); point <= Hex(line[(dash + 1)..equals]); point++) Classes.Add(point, combiningClass);
    }

    private static int Hex(string digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
