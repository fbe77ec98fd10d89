using Mono.Cecil;

namespace SaeUnbox.Architecture.Tests;

/// <summary>
/// TorchSharp passes raw handles to native code and keeps nothing alive until the call returns. What the code must not do because of that
/// is looked for in what the compiler made of it, where implicit conversions are calls like any other.
/// </summary>
public sealed class LifetimeTests
{
    private const string Scalar = "TorchSharp.Scalar";

    /// <summary>
    /// Methods of TorchSharp that make a scalar inside, by themselves or by what they call: nothing keeps it until the operator has read
    /// it.
    /// </summary>
    private static readonly HashSet<string> MakingScalars = FindMakingScalars();

    [Fact]
    public void Projects_AreAllFound()
    {
        string[] expected = [
            "SaeUnbox.Core.dll",
            "SaeUnbox.Models.dll",
            "SaeUnbox.Steering.dll",
            "SaeUnbox.Serving.dll",
            "SaeUnbox.Lab.dll",
            "SaeUnbox.Mini.dll",
            "SaeUnbox.Web.dll",
            "saeunbox.dll"
        ];
        Assert.Superset(expected.ToHashSet(), CompiledCode.Projects.Select(project => project.Name).ToHashSet());
        Assert.InRange(MakingScalars.Count, 200, 1000);
    }

    [Fact]
    public void Scalars_InSource_AreMadeOnlyWhereTheyAreKept()
    {
        var faults =
            from project in CompiledCode.Projects
            from method in project.Methods()
            where method.DeclaringType.FullName is not ("SaeUnbox.Models.Arithmetic" or "SaeUnbox.Models.ScriptedOperators"
                or "SaeUnbox.Architecture.Tests.Careless")
            from call in Scalars(method)
            select call;
        Assert.Empty(faults);
    }

    [Fact]
    public void Scalars_ImplicitInSampleCode_AreFound()
    {
        var careless =
            CompiledCode.Projects.Single(project => project.Name == "SaeUnbox.Architecture.Tests.dll").GetType(typeof(Careless).FullName);
        foreach (var method in careless.Methods.Where(method => method.IsStatic && method.HasBody))
            Assert.NotEmpty(method.Name.StartsWith("Scalar", StringComparison.Ordinal)
                ? Scalars(method)
                : Scopes(careless.NestedTypes.Single(type => type.Name.Contains(method.Name, StringComparison.Ordinal))));
    }

    /// <summary>
    /// TorchSharp lets what libtorch throws in matmul out of the native call, which ends the process; mm, bmm, mv and linear throw here.
    /// </summary>
    [Fact]
    public void Products_InSource_AreThoseWithCatchableErrors()
    {
        var faults =
            from project in CompiledCode.Projects
            where !project.Name.EndsWith(".Tests.dll", StringComparison.Ordinal)
            from method in project.Methods()
            from call in method.Calls()
            where call.Called.Name == "matmul"
            select $"{CompiledCode.Place(method, call.At)} calls matmul; use mm or bmm";
        Assert.Empty(faults);
    }

    /// <summary>Dispose scopes and gradient modes belong to a thread; after an await or a yield another thread may go on.</summary>
    [Fact]
    public void ScopesAndModes_AreNotHeldAcrossAwaitsOrYields()
    {
        var faults =
            from project in CompiledCode.Projects
            from type in project.GetTypes()
            where type.DeclaringType?.FullName != typeof(Careless).FullName
            from place in Scopes(type)
            select place;
        Assert.Empty(faults);
    }

    private static IEnumerable<string> Scalars(MethodDefinition method) =>
        method.Calls().Where(call => MakesScalar(call.Called) || MakingScalars.Contains(call.Called.FullName))
            .Select(call =>
                $"{CompiledCode.Place(method, call.At)} calls {call.Called.Name}, which makes a scalar that nothing keeps; use "
                + $"SaeUnbox.Models.Arithmetic");

    // A state machine whose code opens a scope may be left and entered again inside it.
    private static IEnumerable<string> Scopes(TypeDefinition type) =>
        !type.Interfaces.Any(each => each.InterfaceType.Name is "IAsyncStateMachine" or "IEnumerator")
            ? []
            : type.Methods.Where(method => method.HasBody).SelectMany(method => method.Calls()
                .Where(call => call.Called.DeclaringType.FullName.StartsWith("TorchSharp.torch", StringComparison.Ordinal)
                    && call.Called.Name is "NewDisposeScope" or "no_grad" or "enable_grad" or "set_grad_enabled" or "inference_mode")
                .Select(call =>
                    $"{CompiledCode.Place(method, call.At)} opens {call.Called.Name} in a method with await or yield; open it in a method "
                    + $"of its own"));

    private static bool MakesScalar(MethodReference method) =>
        method.DeclaringType.FullName == Scalar && method.Name == "op_Implicit"
        || method.Name is "ToScalar" or "ToBFloat16Scalar" && method.ReturnType.FullName == Scalar;

    private static HashSet<string> FindMakingScalars()
    {
        var calls = CompiledCode.TorchSharp.Methods().Where(method => !MakesScalar(method))
            .Select(method => (method.FullName, Called: method.Calls().Select(call => call.Called).ToList())).ToList();
        var found = calls.Where(method => method.Called.Any(MakesScalar)).Select(method => method.FullName).ToHashSet();
        while (calls
            .Where(method => !found.Contains(method.FullName) && method.Called.Any(called => found.Contains(called.FullName)))
            .Select(method => method.FullName)
            .ToList() is { Count: > 0 } more)
            found.UnionWith(more);
        return found;
    }
}
