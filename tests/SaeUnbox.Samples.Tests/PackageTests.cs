using System.Diagnostics;
using System.Xml.Linq;

namespace SaeUnbox.Samples.Tests;

/// <summary>The packages are packed as a release would be, restored from a folder, and used.</summary>
public sealed class PackageTests : IDisposable
{
    private const string Version = "0.0.0-test";
    private static readonly string Root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../.."));
    private static readonly string Configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task Pack_Libraries_RunASampleThatRestoresThem()
    {
        foreach (var library in (string[])["Core", "Models", "Steering"])
            await PackAsync($"SaeUnbox.{library}");
        var project = new XElement("Project", new XAttribute("Sdk", "Microsoft.NET.Sdk"),
            new XElement("PropertyGroup",
                new XElement("TargetFramework", "net10.0"), new XElement("OutputType", "Exe"), new XElement("Nullable", "enable"),
                new XElement("ImplicitUsings", "enable"),
                // Packages of this repository come from the folder, and all others from where its own build put them.
                new XElement("RestoreSources", _folder.At("feed")), new XElement("RestorePackagesPath", _folder.At("packages")),
                new XElement("RestoreFallbackFolders", PackagesFolder())),
            new XElement("ItemGroup",
                new XElement("PackageReference", new XAttribute("Include", "SaeUnbox.Steering"), new XAttribute("Version", Version))));
        Directory.CreateDirectory(_folder.At("sample"));
        File.WriteAllText(_folder.At("sample/Sample.csproj"), project.ToString());
        File.Copy(Path.Combine(Root, "samples/PaintAFeature/Program.cs"), _folder.At("sample/Program.cs"));

        await DotnetAsync("build", _folder.At("sample"), "--configuration", "Release", "--output", _folder.At("bin"), "--nologo");
        await DotnetAsync(_folder.At("bin/Sample.dll"), _folder.At("painted.png"));

        Assert.Equal("unbox-mini", Recipe.FromJson(Png.FindText(File.ReadAllBytes(_folder.At("painted.png")), Recipe.PngKeyword)!).Model);
        Assert.NotEmpty(Directory.GetFiles(_folder.At("packages"), "SaeUnbox.Models.xml", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Pack_CommandLine_InstallsAsAToolThatDraws()
    {
        // Packed without libtorch, which takes most of a minute to compress; the tool then takes the one that is named.
        await PackAsync("SaeUnbox.Cli", "-p:Torch=none");
        var sources = new XElement("configuration", new XElement("packageSources", new XElement("clear"),
            new XElement("add", new XAttribute("key", "feed"), new XAttribute("value", _folder.At("feed")))));
        File.WriteAllText(_folder.At("nuget.config"), sources.ToString());
        await DotnetAsync("tool", "install", "saeunbox", "--version", Version, "--tool-path", _folder.At("tools"),
            "--configfile", _folder.At("nuget.config"));
        var natives = Path.Combine(AppContext.BaseDirectory, "runtimes/linux-x64/native");
        var generate = new ProcessStartInfo(_folder.At("tools/saeunbox"),
            ["generate", "--prompt", "a boat", "--out", _folder.At("boat.png")])
        {
            Environment = { ["SAEUNBOX_LIBTORCH"] = natives },
        };
        await SampleProgram.RunAsync(generate);

        Assert.Equal("a boat", Recipe.FromJson(Png.FindText(File.ReadAllBytes(_folder.At("boat.png")), Recipe.PngKeyword)!).Prompt);
    }

    public void Dispose() => _folder.Dispose();

    private Task PackAsync(string project, params string[] more) => DotnetAsync(
        ["pack", Path.Combine(Root, "src", project), "--configuration", Configuration, "--no-build", "--no-restore",
            "--output", _folder.At("feed"),
            $"-p:Version={Version}", "--nologo", .. more]);

    private static Task DotnetAsync(params string[] arguments) => SampleProgram.RunAsync(new ProcessStartInfo("dotnet", arguments));

    private static string PackagesFolder() => Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } named
        ? named
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget/packages");
}
