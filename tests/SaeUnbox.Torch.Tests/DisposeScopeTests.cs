using static TorchSharp.torch;

namespace TorchSharp.Tests;

public class DisposeScopeTests
{
    [Fact]
    public void Dispose_NestedScopes_TakeOnlyTheirOwn()
    {
        Tensor outerTensor, inner, moved, detached;
        using (NewDisposeScope())
        {
            outerTensor = zeros(1);
            using (NewDisposeScope())
            {
                inner = zeros(1);
                moved = zeros(1).MoveToOuterDisposeScope();
                detached = zeros(1).DetachFromDisposeScope();
            }
            Assert.True(inner.IsInvalid);
            Assert.False(moved.IsInvalid);
            Assert.False(outerTensor.IsInvalid);
        }
        Assert.True(moved.IsInvalid);
        Assert.True(outerTensor.IsInvalid);
        Assert.False(detached.IsInvalid);
        detached.Dispose();
    }

    [Fact]
    public void Dispose_OutOfTurn_LeavesTheInnerScopeWorking()
    {
        var outer = NewDisposeScope();
        using var inner = NewDisposeScope();
        outer.Dispose();
        var made = zeros(1);
        Assert.True(inner.Contains(made));
        made.Dispose();
        Assert.Equal(0, inner.DisposablesCount);
    }

    [Fact]
    public void Scope_AfterException_IsGone()
    {
        Tensor? made = null;
        Assert.Throws<InvalidOperationException>((Action)(() =>
        {
            using var scope = NewDisposeScope();
            made = zeros(1);
            throw new InvalidOperationException();
        }));
        Assert.True(made!.IsInvalid);
        using var after = zeros(1);
        Assert.Null(after.OwningDisposeScope);
    }

    [Fact]
    public void Scope_OtherThread_DoesNotCollect()
    {
        using var scope = NewDisposeScope();
        var thread = new Thread(() => zeros(1).Dispose());
        thread.Start();
        thread.Join();
        Assert.Equal(0, scope.DisposablesCount);
    }
}
