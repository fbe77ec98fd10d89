namespace TorchSharp;

/// <summary>The stack of dispose scopes of each thread.</summary>
public class DisposeScopeManager
{
    [ThreadStatic]
    private static DisposeScopeManager? current;

    private DisposeScope? top;

    private DisposeScopeManager()
    {
    }

    internal static DisposeScopeManager ThreadSingleton => current ??= new DisposeScopeManager();

    internal static DisposeScope? Register(IDisposable item)
    {
        var scope = current?.top;
        if (scope is null) return null;
        scope.Attach(item);
        return scope;
    }

    internal DisposeScope Push() => top = new DisposeScope(this, top);

    // A scope disposed out of turn leaves the stack from the middle.
    internal void Remove(DisposeScope scope)
    {
        if (ReferenceEquals(top, scope))
        {
            top = scope.OuterScope;
            return;
        }
        for (var inner = top; inner is not null; inner = inner.OuterScope)
            if (ReferenceEquals(inner.OuterScope, scope)) inner.OuterScope = scope.OuterScope;
    }
}
