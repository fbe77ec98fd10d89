namespace SaeUnbox.Lab;

/// <summary>Means over elements.</summary>
internal static class EvaluationTotals
{
    /// <summary>For each method and site the mean over elements, and for <see cref="SteeringTotal.Best"/> each at its best site.</summary>
    public static IReadOnlyList<DetectionTotal> Detection(IReadOnlyList<ElementFigures> elements)
    {
        var rows = elements.SelectMany(one => one.Detection.Select(row => (one.Element, Row: row))).ToArray();
        var best = rows.GroupBy(one => (one.Element, one.Row.Method)).Select(group => group.MaxBy(one => one.Row.Chosen ?? 0));
        return
        [
            .. from one in best.Select(one => (one.Row, Site: SteeringTotal.Best)).Concat(rows.Select(one => (one.Row, one.Row.Site)))
               group one.Row by (one.Row.Method, one.Site) into rowsOf
               orderby Order(rowsOf.Key.Method)
               select new DetectionTotal(rowsOf.Key.Method, rowsOf.Key.Site, rowsOf.Count(), rowsOf.Average(row => row.Auc),
                   rowsOf.Average(row => row.Iou)),
        ];
    }

    /// <inheritdoc cref="Detection"/>
    public static IReadOnlyList<SteeringTotal> Steering(IReadOnlyList<ElementFigures> elements)
    {
        var rows = elements.SelectMany(one => one.Steering.Select(row => (one.Element, Row: row))).ToArray();
        var best =
            rows.GroupBy(one => (one.Element, one.Row.Method, one.Row.Task)).Select(group => group.MaxBy(one => one.Row.Chosen ?? 0));
        var alone = rows.Where(one => one.Row.Site is not null).Select(one => (one.Row, Site: one.Row.Site!));
        return
        [
            .. from one in best.Select(one => (one.Row, Site: SteeringTotal.Best)).Concat(alone)
               group one.Row by (one.Row.Task, one.Row.Method, one.Site) into rowsOf
               orderby rowsOf.Key.Task, Order(rowsOf.Key.Method)
               select new SteeringTotal(rowsOf.Key.Method, rowsOf.Key.Task, rowsOf.Key.Site, rowsOf.Count(),
                   SteeringFigures.Mean([.. rowsOf.Select(row => row.Figures)])),
        ];
    }

    private static int Order(string method) => SteeringMethod.Names.Index().Single(one => one.Item == method).Index;
}
