using System.Globalization;

namespace SaeUnbox.Web.Tests;

/// <summary>The processor time of other programs. Unlike elapsed time, it hardly depends on what else runs.</summary>
internal static class ProcessorTime
{
    private const double Tick = 10; // USER_HZ is 100 everywhere

    /// <summary>Returns the milliseconds that a process has used.</summary>
    public static double Of(int process) => Read(process)?.Milliseconds ?? 0;

    /// <summary>Returns the milliseconds that this program's child processes of a name have used.</summary>
    public static double OfOffspring(string name)
    {
        var all = Directory
            .EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), out var id) ? Read(id) : null)
            .OfType<Entry>()
            .ToDictionary(entry => entry.Id);
        return all.Values.Where(entry => entry.Name == name && IsOurs(entry)).Sum(entry => entry.Milliseconds);

        bool IsOurs(Entry entry)
        {
            for (Entry? one = entry; one is not null; one = all.GetValueOrDefault(one.Parent))
                if (one.Id == Environment.ProcessId)
                    return true;
            return false;
        }
    }

    private static Entry? Read(int id)
    {
        try
        {
            // The name is in parentheses and may contain anything, so fields are counted after it.
            var text = File.ReadAllText($"/proc/{id}/stat");
            var (open, close) = (text.IndexOf('('), text.LastIndexOf(')'));
            var fields = text[(close + 2)..].Split(' ');
            return new(id, int.Parse(fields[1], CultureInfo.InvariantCulture), text[(open + 1)..close], Tick * (Number(11) + Number(12)));

            double Number(int field) => double.Parse(fields[field], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null; // It ended in the meantime.
        }
    }

    private sealed record Entry(int Id, int Parent, string Name, double Milliseconds);
}
