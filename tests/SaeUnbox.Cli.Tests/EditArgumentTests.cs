using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using SaeUnbox.Cli.Options;

namespace SaeUnbox.Cli.Tests;

public sealed class EditArgumentTests
{
    private static readonly Gen<EditArgument> Edits =
        from site in Gen.Elements(Site.Named.Append(Site.Parse("down.1.0")))
        from features in Gen.Choose(0, int.MaxValue).NonEmptyListOf()
        from weights in Gen.ArrayOf(Gen.Choose(-50, 50), features.Count).OrNull()
        from strength in ArbMap.Default.GeneratorFor<NormalFloat>()
        from mode in Gen.Elements(EditMode.All.ToArray())
        from threshold in Gen.Choose(0, 5000)
        from grow in Gen.Choose(0, 9)
        from mask in Gen.Elements(null, "mask.png", "a@b:c.json", "no#step.png", "x#1-a.json", "[[0, 1], [0.5, 1]]")
        from first in Gen.Choose(0, 50)
        from length in Gen.Choose(0, 50)
        select new EditArgument(
            new FeatureEdit(site, features.First(), strength.Get)
            {
                Also = [.. features.Skip(1)],
                Weights = [.. weights is null || weights.All(weight => weight == 50) ? [] : weights.Select(weight => weight / 50.0)],
                Mode = mode,
                Threshold = mode.FindsCells ? threshold / 7.0 : 0,
                Grow = mode.FindsCells ? grow : 0,
                FirstStep = length == 0 ? 0 : first,
                LastStep = length == 0 ? null : first + length,
            },
            mask);

    [Fact]
    public void Parse_WrittenValue_ReadsBack() => Prop.ForAll(Edits.ToArbitrary(), edit =>
    {
        Assert.Equal(edit, EditArgument.Parse(Write(edit)));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Parse_AnyText_GivesAnEditOrOneSentence() => Prop.ForAll<string>(text =>
    {
        try
        {
            EditArgument.Parse(text ?? "");
        }
        catch (CliException error)
        {
            Assert.StartsWith("--edit ", error.Message);
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Parse_WithoutMode_Adds() => Assert.Equal(EditMode.Add, EditArgument.Parse("mid.0:1:2").Edit.Mode);

    [Fact]
    public void Parse_FileNameWithHashes_KeepsThemAndTakesTheSteps()
    {
        var edit = EditArgument.Parse("mid.0:1:2@x#1-a.json#3-4");
        Assert.Equal(("x#1-a.json", 3, 4), (edit.Mask, edit.Edit.FirstStep, edit.Edit.LastStep));
        Assert.Equal("x#1-a.json", EditArgument.Parse("mid.0:1:2@x#1-a.json").Mask);
    }

    [Theory]
    [InlineData("", "SITE:FEATURE[*WEIGHT][+FEATURE[*WEIGHT]]:STRENGTH")]
    [InlineData("down.2.1", "SITE:FEATURE[*WEIGHT][+FEATURE[*WEIGHT]]:STRENGTH")]
    [InlineData("down.2.1:1:1:replace-mean:1:1:1", "SITE:FEATURE")]
    [InlineData("down.2.1:1:1:replace-mean:a", "the threshold 'a'")]
    [InlineData("down.2.1:1:1:replace-mean:0:-1", "the growth '-1'")]
    [InlineData("down.2.1:1+:1", "the feature ''")]
    [InlineData("up.0:1:1", "'up.0' is not a site")]
    [InlineData("mid.0:-1:1", "the feature '-1'")]
    [InlineData("mid.0:1.5:1", "the feature '1.5'")]
    [InlineData("mid.0:99999999999:1", "the feature '99999999999'")]
    [InlineData("mid.0:1:NaN", "the strength 'NaN'")]
    [InlineData("mid.0:1:1e400", "the strength '1e400'")]
    [InlineData("mid.0:1:", "the strength ''")]
    [InlineData("mid.0:1:1:multiply", "the mode 'multiply'")]
    [InlineData("mid.0:1:1@", "a mask must follow @")]
    [InlineData("mid.0:1:1@#0-1", "a mask must follow @")]
    [InlineData("mid.0:1:1#", "two steps must follow #")]
    [InlineData("mid.0:1:1#1", "two steps must follow #")]
    [InlineData("mid.0:1:1#a-1", "the first step 'a'")]
    [InlineData("mid.0:1:1#0-", "the last step ''")]
    public void Parse_MalformedPart_IsNamed(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<CliException>(() => EditArgument.Parse(text)).Message);

    private static string Feature(WeightedFeature one) =>
        one.Weight == 1 ? $"{one.Feature}" : string.Create(CultureInfo.InvariantCulture, $"{one.Feature}*{one.Weight:R}");

    private static string Write(EditArgument argument)
    {
        var edit = argument.Edit;
        var steps = edit.LastStep is { } last ? $"#{edit.FirstStep}-{last}" : "";
        var mask = argument.Mask is { } name ? $"@{name}" : "";
        var cells = edit.Mode.FindsCells ? string.Create(CultureInfo.InvariantCulture, $":{edit.Threshold:R}:{edit.Grow}") : "";
        return string.Create(CultureInfo.InvariantCulture,
            $"{edit.Site}:{string.Join('+', edit.Weighted.Select(Feature))}:{edit.Strength:R}:{edit.Mode}{cells}{mask}{steps}");
    }
}
