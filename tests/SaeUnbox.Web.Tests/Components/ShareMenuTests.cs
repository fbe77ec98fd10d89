using Bunit;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Components.Shared;
using SaeUnbox.Web.Sharing;

namespace SaeUnbox.Web.Tests.Components;

public sealed class ShareMenuTests : BunitContext
{
    private static readonly Recipe House = new() { Model = "mini", Prompt = "a house" };
    private readonly List<string> _notices = [];
    private readonly CanvasOptions _limits = new();
    private readonly OneShare _store = new();

    public ShareMenuTests()
    {
        Services.AddSingleton<IShareStore>(_store);
        Services.AddSingleton<IHttpContextAccessor>(new HttpContextAccessor());
        Services.AddSingleton(_ => new ClientLimits(Options.Create(_limits)));
        Services.AddScoped<Visitor>();
    }

    [Theory]
    [InlineData("Copy a short link", "http://localhost/s/0123456789012345678901")]
    [InlineData("Copy the recipe as JSON",
        """{"version":1,"model":"mini","prompt":"a house","seed":42,"steps":1,"guidance":0,"width":512,"height":512}""")]
    [InlineData("Copy as a command", "saeunbox generate --prompt 'a house' --seed 42 --steps 1 --width 512 --height 512 --out picture.png")]
    public void Item_Chosen_CopiesIt(string item, string text)
    {
        JSInterop.Setup<bool>("saeunbox.copy", _ => true).SetResult(true);
        Choose(item);

        Assert.Equal(text, JSInterop.VerifyInvoke("saeunbox.copy").Arguments[0]);
        Assert.StartsWith("Copied", Assert.Single(_notices));
    }

    [Fact]
    public void Copy_RefusedByTheBrowser_ShowsTheText()
    {
        JSInterop.Setup<bool>("saeunbox.copy", _ => true).SetResult(false);
        Choose("Copy a short link");

        Assert.Contains("http://localhost/s/0123456789012345678901", Assert.Single(_notices));
    }

    [Fact]
    public void ShortLink_RequestedTooOften_SaysWhenToRetry()
    {
        JSInterop.Setup<bool>("saeunbox.copy", _ => true).SetResult(true);
        (_limits.Burst, _limits.RequestsPerSecond) = (1, 1);
        Choose("Copy a short link");
        Choose("Copy a short link");

        Assert.Contains("try again", _notices[^1]);
    }

    [Fact]
    public void ShortLink_StoreNotAnswering_SaysSo()
    {
        _store.IsDown = true;
        Choose("Copy a short link");

        Assert.Contains("try again in a moment", Assert.Single(_notices));
    }

    [Fact]
    public void Recording_Chosen_IsSavedUnderThePicturesName()
    {
        JSInterop.Setup<string?>("saeunbox.save", _ => true).SetResult(null);
        Choose("Save how it was painted (GIF)");

        Assert.Equal(["canvases/1/painting.gif", "a-house-42.gif"], JSInterop.VerifyInvoke("saeunbox.save").Arguments);
        Assert.Equal("Saved the animation.", Assert.Single(_notices));
    }

    [Fact]
    public void Recording_RefusedByTheServer_SaysWhy()
    {
        JSInterop.Setup<string?>("saeunbox.save", _ => true).SetResult("too many requests");
        Choose("Save how it was painted (GIF)");

        Assert.Contains("too many requests", Assert.Single(_notices));
    }

    [Fact]
    public void Recording_OfOnePicture_IsNotOffered()
    {
        var menu = Render<ShareMenu>(menu => menu.Add(one => one.Recipe, House).Add(one => one.IsReady, true));
        menu.Find("[aria-expanded]").Click();

        Assert.DoesNotContain("GIF", menu.Markup);
    }

    private void Choose(string item)
    {
        var menu = Render<ShareMenu>(menu => menu
            .Add(one => one.Recipe, House)
            .Add(one => one.Recording, "canvases/1/painting.gif")
            .Add(one => one.IsReady, true)
            .Add(one => one.OnNotice, _notices.Add));
        menu.Find("[aria-expanded]").Click();
        menu.FindAll(".menu button").Single(one => one.TextContent == item).Click();
    }

    private sealed class OneShare : IShareStore
    {
        public bool IsDown { get; set; }

        public Task<string> SaveAsync(Recipe recipe, CancellationToken cancellation = default) =>
            IsDown
                ? Task.FromException<string>(new ShareStoreException(inner: new TimeoutException()))
                : Task.FromResult("0123456789012345678901");

        public Task<Recipe?> FindAsync(string id, CancellationToken cancellation = default) => Task.FromResult<Recipe?>(null);

        public Task<byte[]?> FindPictureAsync(string id, CancellationToken cancellation = default) => Task.FromResult<byte[]?>(null);

        public Task SavePictureAsync(string id, byte[] picture, CancellationToken cancellation = default) => Task.CompletedTask;
    }
}
