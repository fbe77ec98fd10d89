namespace SaeUnbox.Models;

internal static class Shapes
{
    public static string Text(ReadOnlySpan<long> shape) => $"[{string.Join(", ", shape.ToArray())}]";
}
