using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>Chooses what stands for an element on some pictures, and measures on others how well it finds and steers the element.</summary>
/// <param name="request">Has a judge.</param>
/// <param name="selection">Pictures to choose on.</param>
/// <param name="test">Pictures to measure detection on.</param>
internal sealed class ElementEvaluation(LoadedModel model, EvaluationRequest request, KnownCells selection, KnownCells test) : IDisposable
{
    private const int ConceptSize = 5;

    private readonly Dictionary<Site, Selectivity> _selectivity = selection.Sites.Values.ToDictionary(
        site => site.Site, site => Selectivity.Of(selection, site, request.Judge!.Elements.Count));

    /// <summary>Everything about an element, and example pictures: for each task a row of the plain picture and what each method made of
    /// it at its best site.</summary>
    public (ElementFigures Figures, Picture? Sheet) Run(string element, CancellationToken cancellation)
    {
        using var mode = no_grad();
        model.UseThreads();
        var number = request.Judge!.Elements.Index().Single(one => one.Item == element).Index;
        // An element without a cell among the pictures for selection cannot be learnt.
        SiteFindings[] found = [.. selection.Sites.Keys.Select(site => Find(site, number)).OfType<SiteFindings>()];
        var methods = found.ToDictionary(one => one.Site,
            one => SteeringMethod.At(one, model.Saes[one.Site], request.SettingsOf(model).Guidance > 1));
        DetectionRow[] detection =
        [
            .. from site in methods
               from method in site.Value
               from row in Detect(site.Key, method, number)
               select row,
        ];
        var steering = new ElementSteering(model, request, element, methods);
        var rows = ((SteeringTask[])[SteeringTask.Paint, SteeringTask.Remove]).SelectMany(task => steering.Run(task, cancellation));
        ElementFigures figures = new(element,
            [.. found.Select(one => new ElementSite(one.Site.Code, one.Feature, one.Correlation, one.Concept, one.Neuron))],
            detection, [.. rows], null);
        return (figures, steering.Sheet());
    }

    public void Dispose()
    {
        foreach (var site in _selectivity.Values)
            site.Dispose();
    }

    private SiteFindings? Find(Site site, int element)
    {
        using var scope = NewDisposeScope();
        var cells = selection.Sites[site];
        var truth = selection.Truth(site, element);
        var tally = new ConceptTally(cells.Codes.Features);
        foreach (var (picture, map) in selection.Pictures.Zip(cells.Maps))
            tally.Add(map, picture.Regions[element]);
        var concept = tally.Best(ConceptSize);
        if (concept.Count == 0 || truth.All(share => share < .5f))
            return null;
        var (features, channels, differences) = _selectivity[site];
        var (correlation, feature) = Largest(features.select(1, element));
        var (_, neuron) = Largest(channels.select(1, element).abs());
        var scores = Scored(new FeatureMethod("concept", site, [.. concept.Select(one => one.Feature)], model.Saes[site], false)
        {
            PaintStrengths = [],
        }.Scores(cells), truth);
        return new(site, feature, correlation, concept, CellDetection.BestThreshold(scores) ?? 0,
            differences.select(1, element).to_type(ScalarType.Float32).contiguous().data<float>().ToArray(), neuron);
    }

    private IEnumerable<DetectionRow> Detect(Site site, SteeringMethod method, int element)
    {
        if (method.Scores(selection.Sites[site]) is not { } chosen || method.Scores(test.Sites[site]) is not { } scores)
            yield break;
        var threshold = CellDetection.BestThreshold(Scored(chosen, selection.Truth(site, element))) ?? 0;
        var cells = Scored(scores, test.Truth(site, element));
        var learnt = CellDetection.Auc(Scored(chosen, selection.Truth(site, element)));
        yield return new(site.Code, method.Name, CellDetection.Auc(cells), CellDetection.Iou(cells, threshold), threshold, learnt);
    }

    private static ScoredCells[] Scored(float[] scores, float[] truth) =>
        [.. scores.Zip(truth, (score, inside) => new ScoredCells(score, inside, 1 - inside))];

    private static (double Value, int Index) Largest(Tensor values)
    {
        var (value, index) = values.topk(1, 0);
        return (value.to_type(ScalarType.Float64).item<double>(), (int)index.item<long>());
    }

    /// <summary>How features and channels of a site go with the elements, each [.., elements] float64.</summary>
    /// <param name="Features">Correlations of features.</param>
    /// <param name="Channels">Correlations of the output's channels.</param>
    /// <param name="Differences">Mean output in an element's cells less that in others.</param>
    private sealed record Selectivity(Tensor Features, Tensor Channels, Tensor Differences) : IDisposable
    {
        public static Selectivity Of(KnownCells cells, SiteCells site, int elements)
        {
            using var scope = NewDisposeScope();
            using var mode = no_grad();
            using var features = new FeatureSelectivity(site.Codes.Features, elements, CPU);
            using var channels = new FeatureSelectivity((int)site.Outputs.shape[1], elements, CPU);
            long first = 0;
            foreach (var (picture, map) in cells.Pictures.Zip(site.Maps))
            {
                using var inner = NewDisposeScope();
                var count = (long)map.Rows * map.Columns;
                var shares = picture.Regions.SelectMany(region => region.Scaled(map.Rows, map.Columns).Cells.ToArray());
                var labels = tensor(shares.Select(share => share >= .5f ? 1f : 0).ToArray()).view(elements, count).t();
                using var codes = site.Codes with
                {
                    Indices = site.Codes.Indices.narrow(0, first, count),
                    Values = site.Codes.Values.narrow(0, first, count),
                };
                features.Add(codes.ToDense(), labels);
                channels.Add(site.Outputs.narrow(0, first, count), labels);
                first += count;
            }
            return new(features.Correlations().DetachFromDisposeScope(), channels.Correlations().DetachFromDisposeScope(),
                channels.MeanDifferences().DetachFromDisposeScope());
        }

        public void Dispose()
        {
            Features.Dispose();
            Channels.Dispose();
            Differences.Dispose();
        }
    }
}
