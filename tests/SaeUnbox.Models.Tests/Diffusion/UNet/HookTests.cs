using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests.UNets;

public sealed class HookTests(GoldenUNet golden) : IClassFixture<GoldenUNet>
{
    [Fact]
    public void Hook_SeveralAtOneSite_RunInOrderOverTheSameInput()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        var site = golden.Model.Sites[0].Site;
        var seen = new List<(Tensor Input, Tensor Output)>();
        SiteHook AddOne() => (input, output) =>
        {
            seen.Add((input.clone().DetachFromDisposeScope(), output.clone().DetachFromDisposeScope()));
            return output.Plus(1);
        };
        using var first = golden.Model.Hook(site, AddOne());
        using var second = golden.Model.Hook(site, AddOne());
        using var run = golden.Cases[0].Run([site], stop: true);
        Assert.Equal(2, seen.Count);
        TensorAssert.Same(seen[0].Input, seen[1].Input);
        TensorAssert.Same(run.States[site].Output, seen[0].Output);
        TensorAssert.Same(run.States[site].Output.Plus(1), seen[1].Output);
    }

    [Fact]
    public void HookNeurons_OfASite_ReplacesWhatItsFeedForwardsCompute()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        var (site, pass) = (golden.Model.Sites[0], golden.Cases[0]);
        var before = pass.Forward();
        var seen = new List<(int Block, long Width)>();
        using (golden.Model.HookNeurons(site.Site, (block, neurons) =>
        {
            seen.Add((block, neurons.shape[2]));
            return neurons;
        }))
            TensorAssert.Same(before, pass.Forward());
        Assert.NotEmpty(seen);
        Assert.Equal(Enumerable.Range(0, seen.Count).Select(block => (block, 4L * site.Channels)), seen);

        using (golden.Model.HookNeurons(site.Site, (_, neurons) => neurons.Times(2)))
        {
            var doubled = pass.Forward();
            Assert.True((doubled - before).abs().max().item<float>() > 1e-3f);
            using var halved = golden.Model.HookNeurons(site.Site, (_, neurons) => neurons.Times(.5));
            TensorAssert.Same(before, pass.Forward());
        }
        using (golden.Model.HookNeurons(site.Site, (_, neurons) => neurons.narrow(2, 0, 1)))
            Assert.Throws<ModelException>(() => pass.Forward());
        TensorAssert.Same(before, pass.Forward());
    }

    [Fact]
    public void Hook_ReturnsInput_SkipsTheSite()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        var site = golden.Model.Sites[1].Site;
        var pass = golden.Cases[0];
        using var plain = pass.Run([site]);
        using var ablated = golden.Model.Hook(site, (input, _) => input);
        var output = pass.Forward();
        Assert.True((output - plain.Output!).abs().max().item<float>() > 1e-3f);
        TensorAssert.Same(output, golden.Model.Resume(plain.States[site]));
    }

    [Fact]
    public void Hook_ScopeEnds_IsRemoved()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        var pass = golden.Cases[0];
        var before = pass.Forward();
        using (golden.Model.Hook(Site.Middle, (_, output) => output.Times(2)))
            Assert.True((pass.Forward() - before).abs().max().item<float>() > 1e-3f);

        TensorAssert.Same(before, pass.Forward());
    }

    [Fact]
    public void Hook_ExceptionInsideNestedScopes_RemovesAll()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        var pass = golden.Cases[0];
        var before = pass.Forward();
        Assert.Throws<InvalidTimeZoneException>(() =>
        {
            using var outer = golden.Model.Hook(Site.Middle, (_, output) => output.Times(2));
            using var inner = golden.Model.Hook(Site.Middle, (_, _) => throw new InvalidTimeZoneException());
            pass.Run([golden.Model.Sites[0].Site]);
        });
        TensorAssert.Same(before, pass.Forward());
    }

    [Fact]
    public void Hook_InnerScopeEnds_OuterStays()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        var calls = new List<string>();
        SiteHook Note(string name) => (_, output) =>
        {
            calls.Add(name);
            return output;
        };
        using var outer = golden.Model.Hook(Site.Middle, Note("outer"));
        var inner = golden.Model.Hook(Site.Middle, Note("inner"));
        golden.Cases[0].Run([Site.Middle], stop: true).Dispose();
        inner.Dispose();
        inner.Dispose();
        golden.Cases[0].Run([Site.Middle], stop: true).Dispose();
        Assert.Equal(["outer", "inner", "outer"], calls);
    }

    [Fact]
    public void Hook_WrongShape_NamesTheSite()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var hook = golden.Model.Hook(Site.Middle, (_, output) => output.narrow(1, 0, 1));
        var error = Assert.Throws<ModelException>(() => golden.Cases[0].Forward());
        Assert.Contains("mid.0", error.Message);
    }

    [Fact]
    public void Hook_UnknownSite_ListsTheSites()
    {
        var error = Assert.Throws<ModelException>(() => golden.Model.Hook(Site.Down(9, 9), (_, output) => output));
        Assert.Contains("down.9.9", error.Message);
        Assert.All(golden.Model.Sites, site => Assert.Contains(site.Site.Code, error.Message));
    }
}
