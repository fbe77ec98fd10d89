using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace SaeUnbox.Models;

/// <summary>Describes a failure inside libtorch in one readable line.</summary>
public static partial class LibtorchError
{
    /// <summary>
    /// The first line of libtorch's message without its C++ stack, plus the operator and the calling method, which TorchSharp's exceptions
    /// lack: "libtorch failed in mm, called by Linear.Forward: mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)".
    /// </summary>
    public static string Describe(ExternalException error)
    {
        var methods = new StackTrace(error).GetFrames().Select(frame => frame.GetMethod()).OfType<System.Reflection.MethodBase>().ToList();
        var operation = methods.LastOrDefault(method => IsOf(method, "TorchSharp") && method.Name != "CheckForErrors")?.Name;
        var caller = methods.FirstOrDefault(method => IsOf(method, "SaeUnbox") && !IsOf(method, typeof(LibtorchError).Namespace!));
        var where = (operation is null ? "" : $" in {operation}") + (caller is null ? "" : $", called by {Name(caller)}");
        return $"libtorch failed{where}: {FirstLine(error.Message)}";
    }

    // The compiler puts a lambda into a nested type <>c… as a method <Method>b__0.
    private static string Name(System.Reflection.MethodBase method)
    {
        var type = method.DeclaringType!;
        while (type.Name.StartsWith('<') && type.DeclaringType is { } outer)
            type = outer;
        return $"{type.Name}.{method.Name.TrimStart('<').Split('>')[0]}";
    }

    // Messages end with "Exception raised from …" and the C++ stack.
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
