using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace SaeUnbox.Models;

/// <summary>Says what failed inside libtorch in one line for people.</summary>
public static partial class LibtorchError
{
    /// <summary>
    /// libtorch's own first line, without its C++ frames, and the operator and the part of this program that called it, which
    /// TorchSharp leaves out: "libtorch failed in mm, called by Linear.Forward: mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)".
    /// </summary>
    public static string Describe(ExternalException error)
    {
        var methods = new StackTrace(error).GetFrames().Select(frame => frame.GetMethod()).OfType<System.Reflection.MethodBase>().ToList();
        var operation = methods.LastOrDefault(method => IsOf(method, "TorchSharp") && method.Name != "CheckForErrors")?.Name;
        var caller = methods.FirstOrDefault(method => IsOf(method, "SaeUnbox") && !IsOf(method, typeof(LibtorchError).Namespace!));
        return $"libtorch failed{(operation is null ? "" : $" in {operation}")}{(caller is null ? "" : $", called by {Name(caller)}")}: {FirstLine(error.Message)}";
    }

    // The compiler puts a lambda into a type of its own, named <>c…, and calls it <Method>b__0.
    private static string Name(System.Reflection.MethodBase method)
    {
        var type = method.DeclaringType!;
        while (type.Name.StartsWith('<') && type.DeclaringType is { } outer)
            type = outer;
        return $"{type.Name}.{method.Name.TrimStart('<').Split('>')[0]}";
    }

    // Messages end in "Exception raised from …" and the frames of the C++ stack.
    private static string FirstLine(string message)
    {
        var end = message.IndexOf("\nException raised from", StringComparison.Ordinal);
        return Blank().Replace(end < 0 ? message : message[..end], " ").Trim();
    }

    private static bool IsOf(System.Reflection.MethodBase method, string space) =>
        method.DeclaringType?.Namespace is { } name && (name == space || name.StartsWith(space + ".", StringComparison.Ordinal));

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blank();
}
