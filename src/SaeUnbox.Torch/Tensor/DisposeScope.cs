namespace TorchSharp;

/// <summary>Disposes what was made in it, unless moved out or detached. Scopes nest and belong to one thread.</summary>
public sealed class DisposeScope : IDisposable
{
    private readonly DisposeScopeManager manager;
    private readonly HashSet<IDisposable> disposables = new(ReferenceEqualityComparer.Instance);

    internal DisposeScope(DisposeScopeManager manager, DisposeScope? outer)
    {
        this.manager = manager;
        OuterScope = outer;
    }

    internal DisposeScope? OuterScope { get; set; }

    /// <summary>How many things the scope holds at present.</summary>
    public int DisposablesCount => disposables.Count;

    public bool Contains(IDisposable disposable) => disposables.Contains(disposable);

    public T MoveToOuter<T>(T disposable) where T : IDisposable => MoveToOther(OuterScope, disposable);

    public T MoveToOther<T>(DisposeScope? scope, T disposable) where T : IDisposable
    {
        if (!disposables.Remove(disposable)) return disposable;
        if (scope is null) SetOwner(disposable, null);
        else scope.Attach(disposable);
        return disposable;
    }

    public T Detach<T>(T disposable) where T : IDisposable => MoveToOther(null, disposable);

    public void Attach(IDisposable disposable)
    {
        disposables.Add(disposable);
        SetOwner(disposable, this);
    }

    public void DisposeEverything()
    {
        foreach (var disposable in disposables.ToArray()) disposable.Dispose();
        disposables.Clear();
    }

    /// <summary>Forgets a thing that was disposed by itself.</summary>
    public void MarkAsDisposed(IDisposable disposable)
    {
        disposables.Remove(disposable);
        SetOwner(disposable, null);
    }

    public void Dispose()
    {
        DisposeEverything();
        manager.Remove(this);
    }

    internal void Replace(IDisposable old, IDisposable replacement)
    {
        disposables.Remove(old);
        SetOwner(old, null);
        Attach(replacement);
    }

    private static void SetOwner(IDisposable disposable, DisposeScope? scope)
    {
        if (disposable is torch.Tensor tensor) tensor.OwningDisposeScope = scope;
    }
}
