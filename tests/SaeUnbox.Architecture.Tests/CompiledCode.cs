using Mono.Cecil;
using Mono.Cecil.Cil;

namespace SaeUnbox.Architecture.Tests;

/// <summary>The assemblies of this repository as they were built, and the calls in them.</summary>
internal static class CompiledCode
{
    // artifacts/bin/PROJECT/CONFIGURATION/
    private static readonly DirectoryInfo Output = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));

    private static readonly HashSet<string> Sources =
        [.. new[] { "src", "tests", "samples" }.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Repository.Root, folder),
            "*.csproj", SearchOption.AllDirectories))
            .Select(Path.GetFileNameWithoutExtension).OfType<string>()];

    /// <summary>Every project under src and samples, and the test projects that are built.</summary>
    public static IReadOnlyList<ModuleDefinition> Projects { get; } =
        [.. Output.Parent!.Parent!.GetDirectories("SaeUnbox.*").SelectMany(Assemblies).Select(file => Read(file.FullName))];

    public static ModuleDefinition TorchSharp { get; } = Read(Path.Combine(Output.FullName, "TorchSharp.dll"));

    /// <summary>Every method with a body, nested types and the compiler's own types included.</summary>
    public static IEnumerable<MethodDefinition> Methods(this ModuleDefinition module) =>
        module.GetTypes().SelectMany(type => type.Methods).Where(method => method.HasBody);

    /// <summary>What a method calls, and where.</summary>
    public static IEnumerable<(MethodReference Called, Instruction At)> Calls(this MethodDefinition method) =>
        method.Body.Instructions.Where(instruction => instruction.Operand is MethodReference)
            .Select(instruction => (((MethodReference)instruction.Operand).GetElementMethod(), instruction));

    /// <summary>FILE:LINE of an instruction, where the assembly has its symbols.</summary>
    public static string Place(MethodDefinition method, Instruction instruction)
    {
        for (var at = instruction; at is not null; at = at.Previous)
        {
            if (method.DebugInformation.GetSequencePoint(at) is { IsHidden: false } point)
                return $"{Path.GetFileName(point.Document.Url)}:{point.StartLine}";
        }
        return method.FullName;
    }

    // Output of projects that the tree no longer has is left alone.
    private static IEnumerable<FileInfo> Assemblies(DirectoryInfo project)
    {
        if (!Sources.Contains(project.Name))
            return [];
        var name = project.Name == "SaeUnbox.Cli" ? "saeunbox" : project.Name;
        var file = new FileInfo(Path.Combine(project.FullName, Output.Name, name + ".dll"));
        return file.Exists ? [file] : [];
    }

    private static ModuleDefinition Read(string path) =>
        ModuleDefinition.ReadModule(path,
            new ReaderParameters { ReadSymbols = File.Exists(Path.ChangeExtension(path, ".pdb")), InMemory = true });
}
