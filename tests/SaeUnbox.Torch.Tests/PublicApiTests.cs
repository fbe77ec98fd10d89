using System.Reflection;
using System.Runtime.CompilerServices;

namespace TorchSharp.Tests;

/// <summary>
/// The binding promises TorchSharp's names and signatures: every public member stands in PublicApi.txt, one a line,
/// so that a change of them is seen and can be compared with TorchSharp's sources, which are not here.
/// </summary>
public class PublicApiTests
{
    [Fact]
    public void Binding_PublicMembers_AreThoseOfTheTable()
    {
        var expected = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "PublicApi.txt"));
        var actual = Members().Order(StringComparer.Ordinal).ToArray();
        Assert.True(expected.SequenceEqual(actual),
            "PublicApi.txt differs. Only in the binding:\n" + string.Join('\n', actual.Except(expected))
            + "\nOnly in the table:\n" + string.Join('\n', expected.Except(actual)));
    }

    private static IEnumerable<string> Members() =>
        from type in typeof(torch).Assembly.GetTypes()
        where type.IsVisible && type.GetCustomAttribute<CompilerGeneratedAttribute>() is null
        from line in Describe(type)
        select line;

    private static IEnumerable<string> Describe(Type type)
    {
        const BindingFlags declared = BindingFlags.Public | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;
        var owner = Name(type);
        yield return $"{owner} : {(type.IsEnum ? "enum" : type.IsValueType ? "struct" : "class")}";
        foreach (var field in type.GetFields(declared).Where(field => !field.IsSpecialName)) yield return $"{owner}.{field.Name} : {Name(field.FieldType)}";
        foreach (var property in type.GetProperties(declared))
            yield return $"{owner}.{property.Name}{Parameters(property.GetIndexParameters(), "[]")} : {Name(property.PropertyType)}";
        foreach (var method in type.GetMethods(declared).Where(method => !method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal)))
            yield return $"{owner}.{method.Name}{Parameters(method.GetParameters(), "()")} : {Name(method.ReturnType)}";
        foreach (var constructor in type.GetConstructors(declared)) yield return $"new {owner}{Parameters(constructor.GetParameters(), "()")}";
    }

    private static string Parameters(ParameterInfo[] parameters, string brackets) =>
        brackets == "[]" && parameters.Length == 0
            ? ""
            : brackets[0] + string.Join(", ", parameters.Select(p => $"{Name(p.ParameterType)} {p.Name}{(p.HasDefaultValue ? $" = {p.RawDefaultValue ?? "null"}" : "")}")) + brackets[1];

    private static string Name(Type type) => type.ToString().Replace("TorchSharp.", "").Replace("System.", "").Replace('+', '.').Replace("`1", "").Replace("`2", "").Replace("`3", "");
}
