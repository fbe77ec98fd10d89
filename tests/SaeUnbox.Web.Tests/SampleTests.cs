using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests;

/// <summary>The samples that use a studio.</summary>
[Collection(nameof(Studio))]
public sealed partial class SampleTests(Studio studio)
{
    [Fact]
    public async Task TalkToTheHub_RunningStudio_SavesThePictureOfItsStroke()
    {
        using var folder = new TemporaryFolder();
        var file = folder.At("frame.jpg");

        var lines = await SampleProgram.RunAsync("TalkToTheHub", studio.Address.ToString(), file);

        var opened = Recipe.FromJson(lines[0][lines[0].IndexOf('{')..]);
        Assert.Equal(await PictureOfAsync(Painted(opened)), await File.ReadAllBytesAsync(file));
        Assert.NotEqual(await PictureOfAsync(opened), await File.ReadAllBytesAsync(file));
    }

    [Fact]
    public async Task PythonNotebook_RunningStudio_MakesReadsAndPaints()
    {
        Assert.SkipWhen(Python is null, "there is no python3 with NumPy; tests/setup.sh installs both on Debian 12");
        using var folder = new TemporaryFolder();
        var start = new ProcessStartInfo(Python!, ["-W", "error", Path.Combine(Repository.Root, "samples/Python/studio.py")]);
        (start.Environment["SAEUNBOX_STUDIO"], start.Environment["SAEUNBOX_OUT"]) = (studio.Address.ToString(), folder.Path);

        var lines = await SampleProgram.RunAsync(start);

        var made = Recipe.FromJson(Png.FindText(await File.ReadAllBytesAsync(folder.At("picture.png")), Recipe.PngKeyword)!);
        var stroke = new FeatureEdit(Site.Composition, 434, 8);
        Assert.Equal(await PictureOfAsync(Painted(made with { Edits = [stroke] })), await File.ReadAllBytesAsync(folder.At("painted.jpg")));
        Assert.Contains("down.2.1.indices int32 (1, 16, 16, 8)", lines);
        Assert.Contains("down.2.1.values float32 (1, 16, 16, 8)", lines);
        var (inside, outside) = lines.Select(line => Changes().Match(line)).Single(match => match.Success) is var match
            ? (Number(match.Groups[1]), Number(match.Groups[2]))
            : default;
        Assert.True(inside > outside, $"{inside} is not above {outside}");

        static double Number(Group digits) => double.Parse(digits.Value, CultureInfo.InvariantCulture);
    }

    // A python3 that has NumPy. The first on the path may be another than the system's, which has the packages of Debian.
    private static string? Python { get; } = new[] { "python3", "/usr/bin/python3" }.FirstOrDefault(HasNumPy);

    private static bool HasNumPy(string python)
    {
        try
        {
            var start = new ProcessStartInfo(python, ["-c", "import numpy"]) { RedirectStandardError = true };
            using var process = Process.Start(start)!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }

    // The sea is painted over the lower half.
    private static Recipe Painted(Recipe recipe)
    {
        var cells = new float[16 * 16];
        cells.AsSpan(cells.Length / 2).Fill(1);
        return recipe with { Edits = [recipe.Edits[0] with { Mask = BrushMask.FromCells(16, 16, cells) }] };
    }

    private async Task<byte[]> PictureOfAsync(Recipe recipe)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/generate")
        {
            Content = new StringContent(recipe.ToJson(), Encoding.UTF8, "application/json")
        };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("image/jpeg"));
        using var answer = await studio.Client.SendAsync(request);
        return await answer.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync();
    }

    [GeneratedRegex(@"^up\.0\.1 changed by ([\d.]+) inside the mask and ([\d.]+) outside$", RegexOptions.CultureInvariant)]
    private static partial Regex Changes();
}
