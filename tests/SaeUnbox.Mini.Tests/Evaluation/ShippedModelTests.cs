using System.Text.Json;
using System.Text.RegularExpressions;
using SaeUnbox.Mini.Evaluation;

namespace SaeUnbox.Mini.Tests.Evaluation;

/// <summary>The weights that ship, against the figures of their card, on scenes they never saw.</summary>
public sealed class ShippedModelTests : IDisposable
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "unbox-mini");

    private readonly string _parts = Directory.CreateTempSubdirectory("saeunbox-").FullName;

    public void Dispose() => Directory.Delete(_parts, recursive: true);

    [Fact]
    public void Weights_HeldOutScenes_ReachTheFiguresOfTheCard()
    {
        var card = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "figures.json"))).RootElement;

        var report = MiniEvaluation.Run(Path.Combine(Folder, "model"), Path.Combine(Folder, "saes"),
            new MiniEvaluationOptions { Seed = 77, Pictures = 24, Prompts = 12, Scenes = 1, LeastCorrelation = 2 });

        // Few pictures scatter: the card's figures come from many.
        Assert.InRange(report.Pictures.LatentError, 0, 1.35 * card.GetProperty("pictures").GetProperty("latentError").GetDouble());
        Assert.InRange(report.Pictures.Psnr, card.GetProperty("pictures").GetProperty("psnr").GetDouble() - 1.5, 60);
        foreach (var (site, expected) in report.Sites.Zip(card.GetProperty("sites").EnumerateArray()))
        {
            Assert.Equal(expected.GetProperty("site").GetString(), site.Site);
            Assert.InRange(site.ExplainedVariance, expected.GetProperty("explainedVariance").GetDouble() - .05, 1);
            // Rare features are not seen in so few pictures.
            Assert.InRange(site.DeadShare, 0, .25);
        }
        foreach (var expected in card.GetProperty("obedience").EnumerateArray())
        {
            var obedience = report.Obedience.Single(one => one.Attribute == expected.GetProperty("attribute").GetString());
            Assert.InRange(obedience.Obeyed, expected.GetProperty("obeyed").GetDouble() - .15, 1);
        }
        foreach (var expected in card.GetProperty("sharpness").EnumerateArray())
        {
            var sharpness = report.Sharpness.Single(one => one.Captions == expected.GetProperty("captions").GetString());
            Assert.InRange(sharpness.Places, expected.GetProperty("places").GetDouble() - .15, 1);
        }
    }

    [Fact]
    public void Painting_IntoUnrelatedScenes_BringsTheElement()
    {
        string[] elements = ["snow", "sunset", "tree", "house"];

        var report = MiniEvaluation.Run(Path.Combine(Folder, "model"), Path.Combine(Folder, "saes"),
            new MiniEvaluationOptions { Seed = 78, Pictures = 64, Prompts = 0, Scenes = 10, Elements = elements });

        foreach (var element in elements)
        {
            var steering = report.Steering.Where(figures => figures.Element == element).ToArray();
            Assert.InRange(steering.Max(figures => figures.Painted - figures.Before), .6, 1);
            Assert.All(steering, figures => Assert.InRange(figures.PaintedOutside, 0, .2));
            if (element is "snow" or "sunset")
                Assert.InRange(steering.Max(figures => figures.Removed ?? 0), .6, 1);
        }
    }

    [Fact]
    public void Concepts_MadeAgain_PutInCoverAndTakeOut()
    {
        var options = new MiniEvaluationOptions
        {
            Seed = 79,
            Pictures = 64,
            Elements = ["night", "house", "cat"],
            Trials = 3,
            ConceptScenes = 8,
            FittingSteps = 6,
            FittingScenes = 20,
        };

        var made = Make();

        Assert.Equal(options.Elements, made.Select(one => one.Figures.Element));
        Assert.All(made, one =>
        {
            Assert.InRange(one.Figures.Painted!.Value, .5, 1);
            Assert.InRange(one.Figures.PaintedOutside!.Value, 0, .2);
            Assert.InRange(one.Figures.Removed!.Value, .5, 1);
            Assert.Equal(one.Figures.Painted.Value, one.Concept!.BestForPainting!.Painting!.Share, .01);
            Assert.Equal(one.Figures.Removed.Value, one.Concept.BestForRemoval!.Removal!.Share, .01);
        });
        // Only things stand where others stood, and the night is alone in its group.
        Assert.Equal((null, null, null), (made[0].Figures.Over, made[0].Figures.Upper, made[0].Figures.Empty));
        Assert.All(made.Skip(1), one => Assert.True(one.Figures is { Over: >= .5, Upper: >= .5, Empty: not null }, $"{one.Figures}"));
        // What is done is read, and belongs to these options.
        Assert.Equal(made.Select(one => one.Figures), Make().Select(one => one.Figures));
        Assert.Throws<SaeException>(() =>
        {
            options = options with { Trials = 4 };
            Make();
        });

        IReadOnlyList<MeasuredConcept> Make() =>
            ConceptEvaluation.Run(Path.Combine(Folder, "model"), Path.Combine(Folder, "saes"), options, _parts);
    }

    [Fact]
    public void Fit_FromFeaturesThatDiffer_FindsWeightsThatPutTheElementIn()
    {
        var options = new MiniEvaluationOptions { Seed = 80, Pictures = 48, FittingSteps = 30, FittingScenes = 30 };
        var city = SteeringElement.All.Single(one => one.Name == "city");
        using var noGrad = TorchSharp.torch.no_grad();
        using var model = new MiniModel(Path.Combine(Folder, "model"));
        using var saes = SaeSet.Load(Path.Combine(Folder, "saes"), TorchSharp.torch.CPU);
        var known = new ConceptFeatures(model, saes, options).Run(_ => { }, CancellationToken.None).First(one => one.Element == city.Name);

        var effect = ConceptFitting.Fit(model, saes, city, known, isAdding: true, options, CancellationToken.None)!;

        Assert.Equal(1, effect.Weighted!.Max(one => one.Weight));
        Assert.All(effect.Weighted!, one => Assert.InRange(one.Weight, 0, 1));
        Assert.InRange(effect.Features, 2, 8);
        var edit = new ConceptSite(known.Site, known.Features).Edit(effect);
        var outcome = new SteeringEvaluation(model, saes, options).Run(SteeringTask.Paint, city, [edit], new(Purpose: 99, 16, IsNear: true),
            CancellationToken.None)[0];
        Assert.InRange(outcome.Works, .5, 1);
    }

    [Fact]
    public void Atlas_OfTheShippedModel_HasAConceptForEveryElement()
    {
        var atlas = AtlasReader.Open(Path.Combine(Folder, "atlas"));

        Assert.Equal(MiniEvaluation.Elements.Order(StringComparer.Ordinal), atlas.Concepts.Select(concept => concept.Name));
        Assert.All(atlas.Concepts.SelectMany(concept => concept.Sites), site =>
            Assert.All(site.Features, one => Assert.NotNull(atlas.Find(site.Site, one.Feature))));
        Assert.All(atlas.Concepts, concept => Assert.True(concept.BestForPainting is not null && concept.BestForRemoval is not null));
    }

    [Fact]
    public void Card_Concepts_MatchTheAtlas()
    {
        var card = Regex.Replace(File.ReadAllText(Path.Combine(Folder, "README.md")), @"\s+", " ");
        var concepts = AtlasReader.Open(Path.Combine(Folder, "atlas")).Concepts;
        var (painted, removed) = (Of(concept => concept.BestForPainting!.Painting!), Of(concept => concept.BestForRemoval!.Removal!));

        Assert.Contains($"puts {painted.Count(one => one.Effect.Share >= .75)} of the {concepts.Count} in", card);
        Assert.Contains($"takes {removed.Count(one => one.Effect.Share >= .75)} out", card);
        Assert.Contains($"{removed.Count(one => one.Effect.Mode.FindsCells)} are replaced cells", card);
        foreach (var (name, effect) in painted.Where(one => one.Effect.Share < .75).Concat(removed.Where(one => one.Effect.Share < .75)))
            Assert.Contains(FormattableString.Invariant($"{name} ({100 * effect.Share:0} %)"), card);

        (string Name, ConceptEffect Effect)[] Of(Func<Concept, ConceptEffect> effect) =>
            [.. concepts.Select(concept => (concept.Name, effect(concept)))];
    }

    [Fact]
    public void Names_OfTheShippedFeatures_FitInOtherScenes()
    {
        var atlas = AtlasReader.Open(Path.Combine(Folder, "atlas"));
        using var noGrad = TorchSharp.torch.no_grad();
        using var model = new MiniModel(Path.Combine(Folder, "model"));
        using var saes = SaeSet.Load(Path.Combine(Folder, "saes"), TorchSharp.torch.CPU);
        var names = FeatureName.All.Index().ToDictionary(name => name.Item.Text, name => name.Index);

        var scores =
            (from site in new FeatureNaming(model, saes, new() { Seed = 81, NamingScenes = 100 }).Read(30, _ => { }, CancellationToken.None)
             from feature in Enumerable.Range(0, site.Value.Features)
             let name = atlas.Find(site.Key, feature)!.Name
             where name is not null
             let score = site.Value.Scores(feature).Select(one => (NameScore?)one).FirstOrDefault(one => one!.Value.Name == names[name])
             where score?.Scenes >= 30
             select score!.Value).ToArray();

        Assert.True(scores.Length > 500, $"{scores.Length} features are seen often enough");
        // So few scenes scatter: a few names at the limit are beyond it.
        Assert.InRange(scores.Count(score => score.Auc < .8 && score.Share < .95), 0, scores.Length / 20);
        Assert.InRange(scores.Count(score => score.Auc < .7), 0, scores.Length / 200);
    }

    [Fact]
    public void Card_Features_MatchFiguresAndAtlas()
    {
        var card = Regex.Replace(File.ReadAllText(Path.Combine(Folder, "README.md")), @"\s+", " ");
        var figures = JsonSerializer.Deserialize<MiniEvaluationReport>(File.ReadAllText(Path.Combine(Folder, "figures.json")),
            JsonSerializerOptions.Web)!.Features!;
        var atlas = AtlasReader.Open(Path.Combine(Folder, "atlas"));
        FeatureCard[] features =
            [.. atlas.Sites.SelectMany(site => Enumerable.Range(0, figures.All / 4).Select(i => atlas.Find(site, i)!))];
        FeatureEffect[] effects = [.. features.Select(one => one.Effect).OfType<FeatureEffect>()];

        Assert.Equal((figures.Named, figures.Painting),
            (features.Count(one => one.Name is not null), effects.Length));
        Assert.Equal((figures.Painted, figures.Removed),
            (effects.Count(one => one.Painted >= .75), effects.Count(one => one.Removed >= .75)));
        Assert.InRange(figures.WrongInSample, 0, figures.Sample / 50);
        Assert.Contains(FormattableString.Invariant($"{figures.Named:#,0} of the {features.Count(one => !one.IsDead):#,0}"), card);
        Assert.Contains(FormattableString.Invariant($"{figures.Wrong} of the {figures.Named:#,0} names"), card);
        Assert.Contains($"{figures.WrongInSample} in a sample of {figures.Sample}", card);
        Assert.Contains(FormattableString.Invariant($"Of {figures.Painting:#,0} features"), card);
        Assert.Contains($"{figures.Painted} paint it in three quarters of the scenes or more", card);
        Assert.Contains($"{figures.Removed} take it out", card);
        Assert.Contains(FormattableString.Invariant($"{effects.Count(one => one.Strength is null)} paint it at none"), card);
    }

    [Fact]
    public void Card_Painting_CoversTwelveElementsAndFourThings()
    {
        var painted = JsonDocument
            .Parse(File.ReadAllText(Path.Combine(Folder, "figures.json"))).RootElement
            .GetProperty("steering")
            .EnumerateArray()
            .Select(one =>
                (Element: one.GetProperty("element").GetString()!, Site: one.GetProperty("site").GetString()!,
                    Gain: one.GetProperty("painted").GetDouble() - one.GetProperty("before").GetDouble()))
            .Where(one => one.Gain >= .75).ToArray();

        Assert.True(painted.Select(one => one.Element).Distinct().Count() >= 12, string.Join(", ", painted));
        Assert.True(
            painted
                .Select(one => one.Element)
                .Distinct()
                .Count(name =>
                    SteeringElement.All.Single(element => element.Name == name).Kind is not null) >= 4, string.Join(", ", painted));
        Assert.True(painted.Select(one => one.Site).Distinct().Count() >= 2);
    }

    [Fact]
    public void Card_Painting_MatchesTheFigures()
    {
        var card = File.ReadAllText(Path.Combine(Folder, "README.md"));
        var figures = JsonSerializer.Deserialize<MiniEvaluationReport>(File.ReadAllText(Path.Combine(Folder, "figures.json")),
            JsonSerializerOptions.Web)!.Steering;
        var best = figures.GroupBy(one => one.Element).ToDictionary(group => group.Key, group => Percent(group.Max(one => one.Painted)));
        var removed =
            figures.GroupBy(one => one.Element).ToDictionary(group => group.Key, group => Percent(group.Max(one => one.Removed ?? 0)));
        var strong = figures.Where(one => one.Painted - one.Before >= .75).GroupBy(one => one.Element).ToArray();

        var rows = Regex.Matches(card, @"^\| (\d+) to (\d+) % \| (.+) \|$", RegexOptions.Multiline)
            .SelectMany(row => row.Groups[3].Value.Split(", ")
                .Select(name => (Name: name, Least: int.Parse(row.Groups[1].Value), Most: int.Parse(row.Groups[2].Value)))).ToArray();
        Assert.Equal(best.Keys.Order(), rows.Select(row => row.Name).Order());
        Assert.All(rows, row => Assert.InRange(best[row.Name], row.Least, row.Most));
        Assert.Contains(
            $"{strong.Length} of the {best.Count} elements reach 75 % at one site or more, "
            + $"{strong.Count(group => SteeringElement.All.Single(one => one.Name == group.Key).Kind is not null)} of them", card);
        Assert.Contains($"and {strong.Count(group => group.Count() > 1)} at two sites or more", card);
        foreach (var name in (string[])["snow", "dawn", "bird", "flower", "day", "sand", "cat", "house", "boat", "sketch", "stripes"])
            Assert.Contains($"{name} ({removed[name]} %)", Regex.Replace(card, @"\s+", " "));
        foreach (var (name, many) in new[]
        {
            ("mushroom", "mushrooms"),
            ("pine", "pines"),
            ("mountains", "mountains"),
            ("sea", "seas"),
            ("grass", "grass"),
            ("cactus", "cacti"),
            ("tree", "trees")
        })
            Assert.Contains($"{many} ({removed[name]} %", Regex.Replace(card, @"\s+", " "));

        static int Percent(double share) => (int)Math.Round(100 * share, MidpointRounding.AwayFromZero);
    }

    [Fact]
    public void Files_EachAndTogether_AreSmall()
    {
        var files = Directory.GetFiles(Folder, "*", SearchOption.AllDirectories);

        Assert.InRange(files.Sum(file => new FileInfo(file).Length), 1, 20_000_000);
    }
}
