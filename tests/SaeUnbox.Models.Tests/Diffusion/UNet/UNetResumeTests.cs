using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests.UNets;

public sealed class UNetResumeTests(GoldenUNet golden) : IClassFixture<GoldenUNet>
{
    [Fact]
    public void Run_StoppedAtEachSite_GivesSameBitsAsFullRun()
    {
        foreach (var pass in golden.Cases)
        {
            using var scope = NewDisposeScope();
            using var mode = inference_mode();
            using var full = pass.Run(AllSites);
            foreach (var site in AllSites)
            {
                using var stopped = pass.Run([site], stop: true);
                Assert.Null(stopped.Output);
                TensorAssert.Same(full.States[site].Input, stopped.States[site].Input);
                TensorAssert.Same(full.States[site].Output, stopped.States[site].Output);
            }
        }
    }

    [Fact]
    public void Run_Stopped_RunsHooksUpToTheLastSite()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        var seen = new List<Site>();
        var hooks = AllSites.Select(site => golden.Model.Hook(site, (_, output) =>
        {
            seen.Add(site);
            return output;
        })).ToArray();
        var last = AllSites.Length / 2;
        using var stopped = golden.Cases[0].Run([AllSites[last], AllSites[0]], stop: true);
        Array.ForEach(hooks, hook => hook.Dispose());
        Assert.Equal(AllSites[..(last + 1)], seen);
        Assert.Equal(2, stopped.States.Count);
    }

    [Fact]
    public void Resume_FromEachSite_GivesSameBitsAsFullRun()
    {
        foreach (var pass in golden.Cases)
        {
            using var scope = NewDisposeScope();
            using var mode = inference_mode();
            using var full = pass.Run(AllSites);
            foreach (var site in AllSites)
            {
                TensorAssert.Same(full.Output!, golden.Model.Resume(full.States[site]));
                TensorAssert.Same(full.Output!, golden.Model.Resume(full.States[site]));
            }
        }
    }

    [Fact]
    public void Resume_WithHookAtItsSite_GivesSameBitsAsFullRunWithThatHook()
    {
        foreach (var pass in golden.Cases)
        {
            using var scope = NewDisposeScope();
            using var mode = inference_mode();
            using var plain = pass.Run(AllSites);
            foreach (var site in AllSites)
            {
                using var hook = golden.Model.Hook(site, Edit(site));
                var edited = pass.Forward();
                Assert.True((edited - plain.Output!).abs().max().item<float>() > 1e-3f, $"the edit at {site} changes the output");
                TensorAssert.Same(edited, golden.Model.Resume(plain.States[site]));
            }
        }
    }

    [Fact]
    public void Resume_FromEarliestOfSeveralEdits_GivesSameBitsAsFullRun()
    {
        foreach (var pass in golden.Cases)
        {
            using var scope = NewDisposeScope();
            using var mode = inference_mode();
            using var plain = pass.Run(AllSites, stop: true);
            for (var i = 0; i + 1 < AllSites.Length; i++)
            {
                using var first = golden.Model.Hook(AllSites[i], Edit(AllSites[i]));
                using var again = golden.Model.Hook(AllSites[i], Edit(AllSites[i]));
                using var later = golden.Model.Hook(AllSites[i + 1], Edit(AllSites[i + 1]));
                TensorAssert.Same(pass.Forward(), golden.Model.Resume(plain.States[AllSites[i]]));
            }
        }
    }

    [Fact]
    public void Resume_WithCapture_HoldsLaterStatesOfTheEditedRun()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        var pass = golden.Cases[0];
        var (early, late) = (AllSites[1], AllSites[^1]);
        using var plain = pass.Run([early], stop: true);
        using var hook = golden.Model.Hook(early, Edit(early));
        using var full = pass.Run([late]);
        using var resumed = golden.Model.Resume(plain.States[early], [late]);
        TensorAssert.Same(full.Output!, resumed.Output!);
        TensorAssert.Same(full.States[late].Input, resumed.States[late].Input);
        TensorAssert.Same(full.States[late].Output, resumed.States[late].Output);
        TensorAssert.Same(full.Output!, golden.Model.Resume(resumed.States[late]));
    }

    [Fact]
    public void Resume_SiteAlreadyPassed_SaysSo()
    {
        using var mode = inference_mode();
        using var run = golden.Cases[0].Run([AllSites[1]], stop: true);
        var error = Assert.Throws<ModelException>(() => golden.Model.Resume(run.States[AllSites[1]], [AllSites[0]]));
        Assert.Contains(AllSites[0].Code, error.Message);
    }

    [Fact]
    public void Run_StoppedWithoutSites_IsRefused() => Assert.Throws<ArgumentException>(() => golden.Cases[0].Run([], stop: true));

    [Fact]
    public void Forward_CancelledInAHook_StopsBeforeTheNextStage()
    {
        using var mode = inference_mode();
        using var cancellation = new CancellationTokenSource();
        var reached = false;
        using var cancel = golden.Model.Hook(AllSites[0], (_, output) =>
        {
            cancellation.Cancel();
            return output;
        });
        using var after = golden.Model.Hook(AllSites[1], (_, output) =>
        {
            reached = true;
            return output;
        });
        var pass = golden.Cases[0];
        Assert.Throws<OperationCanceledException>(
            () => golden.Model.Forward(pass["sample"], pass["timestep"], pass.Conditioning, cancellation.Token));
        Assert.False(reached);
    }

    private Site[] AllSites => [.. golden.Model.Sites.Select(site => site.Site)];

    // Another edit at each site, of about the size of the output.
    private static SiteHook Edit(Site site) => (input, output) => output.Plus(input.Times(0.5 + site.Code.Length % 3)).Plus(1);
}
