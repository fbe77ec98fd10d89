using System.Globalization;
using System.Text;

namespace SaeUnbox.Web.Tests.Trials;

/// <summary>Counts, for each part of a trial, how often the studio did what it promises. Thread-safe.</summary>
internal sealed class TrialLedger
{
    private readonly Lock _lock = new();
    private readonly List<(string Part, int Tries, int Broken)> _parts = [];
    private readonly List<string> _complaints = [];

    /// <summary>What was not as promised.</summary>
    public IReadOnlyList<string> Complaints => _complaints;

    /// <summary>Makes a try.</summary>
    /// <param name="attempt">Returns what was not as promised, or null. An exception is a complaint, too.</param>
    public async Task TryAsync(string part, string what, Func<Task<string?>> attempt)
    {
        string? complaint;
        try
        {
            complaint = await attempt();
        }
        catch (Exception exception)
        {
            complaint = $"{exception.GetType().Name}: {exception.Message}";
        }
        Add(part, what, complaint);
    }

    public void Add(string part, string what, string? complaint)
    {
        lock (_lock)
        {
            var i = _parts.FindIndex(one => one.Part == part);
            if (i < 0)
            {
                i = _parts.Count;
                _parts.Add((part, 0, 0));
            }
            _parts[i] = (part, _parts[i].Tries + 1, _parts[i].Broken + (complaint is null ? 0 : 1));
            if (complaint is not null)
                _complaints.Add($"{part}: {what}: {complaint}");
        }
    }

    public override string ToString()
    {
        var table = new StringBuilder();
        var width = Math.Max("all".Length, _parts.Max(part => part.Part.Length));
        Line("part", "tries", "as promised", "not as promised");
        foreach (var (part, tries, broken) in _parts.Append(("all", _parts.Sum(part => part.Tries), _parts.Sum(part => part.Broken))))
            Line(part, Number(tries), Number(tries - broken), Number(broken));
        return table.ToString();

        void Line(string part, string tries, string kept, string broken) =>
            table.Append(CultureInfo.InvariantCulture, $"{part.PadRight(width)} {tries,8} {kept,12} {broken,16}\n");

        static string Number(int count) => count.ToString(CultureInfo.InvariantCulture);
    }
}
