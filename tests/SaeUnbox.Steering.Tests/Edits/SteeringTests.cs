using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using SaeUnbox.Testing;
using static SaeUnbox.Steering.Tests.GoldenSaes;
using static SaeUnbox.Testing.GoldenTensors;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

public class SteeringTests
{
    private const string TurboFile = "edits/turbo.safetensors";
    private const string BaseFile = "edits/base.safetensors";

    private static readonly JsonElement Turbo = Goldens.Json("edits", "turbo.json");
    private static readonly JsonElement Base = Goldens.Json("edits", "base.json");

    /// <summary>Cases whose block sees the same input and output as the plain run, so that the edit stands alone.</summary>
    public static TheoryData<string> TurboCases() =>
    [
        .. Turbo.EnumerateObject()
            .Where(entry => (!entry.Value.TryGetProperty("prompt", out var prompt) || prompt.GetString() == RunPrompt)
                && IsOneBlock(entry.Value))
            .Where(entry => Has(TurboFile, $"{entry.Name}/{Block(entry.Value)}/block_output"))
            .Select(entry => entry.Name),
    ];

    private static string RunPrompt => Goldens.Json("runs", "runs.json").GetProperty("turbo1").GetProperty("prompt").GetString()!;

    [Theory]
    [MemberData(nameof(TurboCases))]
    public void Apply_TurboCase_GivesTheReferenceBlockOutput(string name)
    {
        using var scope = NewDisposeScope();
        var entry = Turbo.GetProperty(name);
        var site = Block(entry);
        using var sae = Load(site);
        var (input, output) = TurboBlock(site);
        using var edit = Edits.Sequence(entry.TryGetProperty("edits", out var several)
            ? several.EnumerateArray().Select(each => TurboEdit(each, "add_feature_on_area_turbo", sae))
            : [TurboEdit(entry, entry.GetProperty("function").GetString()!, sae)]);
        TensorAssert.Close(Read(TurboFile, $"{name}/{site}/block_output"), edit.Apply(input, output), Limit.Block, name);
    }

    [Fact]
    public void TurboCases_OfTheGoldens_CoverEveryKind()
    {
        var functions =
            TurboCases().Select(row => Turbo.GetProperty(row.Data).GetProperty("function").GetString()!.Split(' ')[0]).ToHashSet();
        Assert.Superset(
            new HashSet<string> { "add_feature_on_area_turbo", "add_feature", "output", "reconstruct_sae_hook" }, functions);
    }

    [Fact]
    public void Apply_Ablate_ReturnsTheInput()
    {
        using var scope = NewDisposeScope();
        var (input, output) = TurboBlock(Sites().First().Data);
        using var edit = Edits.Ablate();
        Assert.Equal(input.Floats(), edit.Apply(input, output).Floats());
    }

    /// <summary>Base edits with a captured block, the first step they act at (later inputs differ from the plain run's).</summary>
    public static TheoryData<string> BaseCases() =>
    [
        .. Base.GetProperty("cases").EnumerateObject()
            .Where(entry => Has(BaseFile, $"{entry.Name}/block_output"))
            .Select(entry => entry.Name),
    ];

    [Theory]
    [MemberData(nameof(BaseCases))]
    public void Apply_BaseCaseFirstStep_MovesBothHalves(string name)
    {
        using var scope = NewDisposeScope();
        var entry = Base.GetProperty("cases").GetProperty(name);
        var site = Block(entry);
        var step = entry.GetProperty("apply_at_steps").EnumerateArray().Min(value => value.GetInt32());
        using var sae = Load(site);
        var mask = Read(BaseFile, "mask");
        using var edit = Edits.Add(
            sae, entry.GetProperty("feature").GetInt32(), entry.GetProperty("strength").GetDouble(), mask, Guidance.Contrast);
        var (input, output) = (Block("base", site, "input").select(1, step), Block("base", site, "output").select(1, step));
        var expected = Read(BaseFile, $"{name}/block_output").select(1, step);
        TensorAssert.Close(expected, edit.Apply(input, output), Limit.Block, name);
    }

    [Fact]
    public void Apply_ConditionalOnly_LeavesTheOtherHalf()
    {
        using var scope = NewDisposeScope();
        var site = Sites().First().Data;
        using var sae = Load(site);
        var (input, output) = (Block("base", site, "input").select(1, 0), Block("base", site, "output").select(1, 0));
        using var conditional = Edits.Add(sae, 1, 2, guidance: Guidance.ConditionalOnly);
        using var contrast = Edits.Add(sae, 1, 2, guidance: Guidance.Contrast);
        var edited = conditional.Apply(input, output);
        Assert.Equal(output[0].Floats(), edited[0].Floats());
        Assert.Equal(contrast.Apply(input, output)[1].Floats(), edited[1].Floats());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Icon_BlockOutput_IsInputPlusMeanTimesKTimesDirection(bool guided)
    {
        using var scope = NewDisposeScope();
        var entry = Turbo.GetProperty("icon_down");
        var site = Block(entry);
        using var sae = Load(site);
        var feature = entry.GetProperty("feature").GetInt32();
        var (input, output) = (Block("base", site, "input").select(1, 0), Block("base", site, "output").select(1, 0));
        using var edit = Edits.Icon(sae, feature, guided: guided);
        var added = sae.Direction(feature).view(1, -1, 1, 1).Times((float)entry.GetProperty("value").GetDouble());
        var expected = guided ? cat([input.narrow(0, 0, 1), input.narrow(0, 1, 1).Plus(added)], 0) : input.Plus(added);
        TensorAssert.Close(expected, edit.Apply(input, output), 1e-4);
    }

    [Theory]
    [InlineData("add")]
    [InlineData("scale")]
    public void Apply_Weights_AreFactorsOfEachFeaturesPart(string mode)
    {
        using var scope = NewDisposeScope();
        var site = Sites().First().Data;
        using var sae = Load(site);
        var (input, output) = TurboBlock(site);
        using var codes = sae.Encode(BlockEdit.Difference(input, output));
        var active = Enumerable.Range(0, sae.Features).OrderByDescending(i => codes.Map(i).sum().item<float>()).Take(2).ToArray();
        var parsed = EditMode.All.Single(one => one.Name == mode);
        var edit = new FeatureEdit(Site.Composition, active[0], 3) { Mode = parsed, Also = [active[1]], Weights = [1, -.25] };

        var whole = Change(edit);

        var alone = edit with { Also = [], Weights = [] };
        TensorAssert.Close(Change(alone) - Change(alone with { Feature = active[1] }).Times(.25), whole, 1e-4);
        Assert.True((whole - Change(alone)).abs().max().item<float>() > 1e-3);

        Tensor Change(FeatureEdit made)
        {
            using var block = Edits.From(made, sae, guided: false);
            return block.Apply(input, output) - output;
        }
    }

    [Fact]
    public void Apply_ScaleAfterAdd_SeesTheAddedFeature()
    {
        using var scope = NewDisposeScope();
        var site = Sites().First().Data;
        using var sae = Load(site);
        var (input, output) = TurboBlock(site);
        const int feature = 3;
        using var add = Edits.Add(sae, feature, 20);
        using var removeAfter = Edits.Sequence([Edits.Add(sae, feature, 20), Edits.Scale(sae, feature, -1)]);
        var added = add.Apply(input, output);
        using var codes = sae.Encode(BlockEdit.Difference(input, added));
        var expected = added - codes.Map(feature).unsqueeze(1) * sae.Direction(feature).view(1, -1, 1, 1);
        TensorAssert.Close(expected, removeAfter.Apply(input, output), 1e-4);
    }

    [Fact]
    public void Sequence_AddingEdits_EqualsOneAfterTheOther()
    {
        var site = Sites().First().Data;
        using var sae = Load(site);
        Prop.ForAll(
            ArbMap.Default.ArbFor<(ushort Feature, sbyte Strength, bool Masked)[]>(),
            edits =>
            {
                if (edits.Length == 0)
                    return true;
                using var scope = NewDisposeScope();
                var (input, output) = (zeros([2, sae.Config.Width, 3, 4]), ones([2, sae.Config.Width, 3, 4]));
                BlockEdit Make((ushort Feature, sbyte Strength, bool Masked) edit) => Edits.Add(
                    sae,
                    edit.Feature % sae.Config.Features,
                    edit.Strength / 8.0,
                    edit.Masked ? linspace(0, 1, 12, dtype: ScalarType.Float32).view(3, 4) : null);
                var expected = output.alias();
                foreach (var each in edits)
                {
                    using var edit = Make(each);
                    expected = edit.Apply(input, expected);
                }

                using var merged = Edits.Sequence(edits.Select(Make));
                return (merged.Apply(input, output) - expected).abs().max().item<float>()
                    < 1e-3 * Math.Max(1, expected.abs().max().item<float>());
            }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Apply_MaskOfAnotherGrid_NamesBothSizes()
    {
        using var scope = NewDisposeScope();
        var site = Sites().First().Data;
        using var sae = Load(site);
        var (input, output) = TurboBlock(site);
        var (rows, columns) = (output.shape[2], output.shape[3]);
        foreach (var edit in new[] { Edits.Add(sae, 0, 1, ones([rows + 1, columns])), Edits.Scale(sae, 0, 1, ones([rows + 1, columns])) })
        {
            using (edit)
            {
                var error = Assert.Throws<SaeException>(() => edit.Apply(input, output));
                Assert.Contains($"{rows + 1} x {columns}", error.Message);
                Assert.Contains($"{rows} x {columns}", error.Message);
            }
        }
    }

    [Fact]
    public void Apply_AutoencoderOfAnotherWidth_NamesBothWidths()
    {
        using var scope = NewDisposeScope();
        using var sae = Load(Sites().First().Data);
        var width = sae.Config.Width;
        var block = zeros([1, width + 8, 2, 2]);
        foreach (var edit in new[] { Edits.Add(sae, 0, 1), Edits.Scale(sae, 0, 1), Edits.Reconstruct(sae), Edits.Icon(sae, 0) })
        {
            using (edit)
            {
                var error = Assert.Throws<SaeException>(() => edit.Apply(block, block));
                Assert.Contains($"{width} channels", error.Message);
                Assert.Contains($"{width + 8}", error.Message);
            }
        }
    }

    [Fact]
    public void Make_FeatureOutOfRangeOrNoNumber_IsRefused()
    {
        using var sae = Load(Sites().First().Data);
        var features = sae.Config.Features;
        Assert.Contains($"{features - 1}", Assert.Throws<SaeException>(() => Edits.Add(sae, features, 1)).Message);
        Assert.Contains($"{features - 1}", Assert.Throws<SaeException>(() => Edits.Scale(sae, -1, 1)).Message);
        Assert.Contains("finite", Assert.Throws<SaeException>(() => Edits.Add(sae, 0, double.NaN)).Message);
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void Apply_HalfPrecisionBatch_KeepsTypeAndEditsEachPicture(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var site = Sites().First().Data;
        using var sae = Load(site);
        var (input, output) = TurboBlock(site);
        using var edit = Edits.Sequence([Edits.Add(sae, 5, 3), Edits.Scale(sae, 7, 2), Edits.Reconstruct(sae)]);
        var single = edit.Apply(input, output);
        var batch = edit.Apply(cat([input, input], 0).to(dtype), cat([output, output], 0).to(dtype));
        Assert.Equal(dtype, batch.dtype);
        Assert.Equal(batch[0].Floats(), batch[1].Floats());
        var error = (batch[0].to(ScalarType.Float32) - single[0]).abs().mean().item<float>();
        Assert.True(error < 0.02 * single.abs().max().item<float>(), $"mean difference {error}");
    }

    [Fact]
    public void From_RecipeEdit_IsTheSameAsByHand()
    {
        using var scope = NewDisposeScope();
        var site = Sites().First().Data;
        using var sae = Load(site);
        var (input, output) = TurboBlock(site);
        var (rows, columns) = ((int)output.shape[2], (int)output.shape[3]);
        var cells = Enumerable.Range(0, rows * columns).Select(i => i % 3 / 2f).ToArray();
        var recipe = new FeatureEdit(Site.Parse(site), 4, 2.5) { Mask = BrushMask.FromCells(rows, columns, cells) };
        using var edit = Edits.From(recipe, sae, guided: false);
        using var byHand = Edits.Add(sae, 4, 2.5, tensor(cells).view(rows, columns));
        Assert.Equal(byHand.Apply(input, output).Floats(), edit.Apply(input, output).Floats());
    }

    private static BlockEdit TurboEdit(JsonElement entry, string function, SparseAutoencoder sae)
    {
        int Feature() => entry.GetProperty("feature").GetInt32();
        return function.Split(' ')[0] switch
        {
            "add_feature_on_area_turbo" => Edits.Add(
                sae, Feature(), entry.GetProperty("strength").GetDouble(), Read(
                    TurboFile, $"mask/{entry.GetProperty("mask").GetString()}")),
            "add_feature" => Edits.AddValue(sae, Feature(), entry.GetProperty("value").GetDouble()),
            "output" => Edits.Scale(sae, Feature(), entry.GetProperty("beta").GetDouble()),
            "reconstruct_sae_hook" => Edits.Reconstruct(sae),
            var other => throw new InvalidOperationException($"The goldens hold an edit of unknown kind: {other}"),
        };
    }

    private static (Tensor Input, Tensor Output) TurboBlock(string site) =>
        (GoldenSaes.Block("turbo1", site, "input").select(1, 0), GoldenSaes.Block("turbo1", site, "output").select(1, 0));

    private static Tensor Block(string run, string site, string which) => GoldenSaes.Block(run, site, which);

    private static bool IsOneBlock(JsonElement entry) => !entry.TryGetProperty("edits", out var edits)
        || edits.EnumerateArray().Select(edit => edit.GetProperty("block").GetString()).Distinct().Count() == 1;

    private static string Block(JsonElement entry) => entry.TryGetProperty("edits", out var edits)
        ? edits[0].GetProperty("block").GetString()!
        : entry.GetProperty("block").GetString()!;
}
