namespace SaeUnbox.Lab;

/// <summary>What the columns of a report mean.</summary>
internal static class EvaluationDefinitions
{
    public static IEnumerable<(string Name, string Text)> Of(JudgeDescription? judge)
    {
        yield return ("Explained variance (pooled)", "1 - sum |x - x̂|² / sum |x - mean(x)|², all channels pooled. FVU is 1 less this.");
        yield return ("Explained variance (per channel)", "1 - var(x - x̂) / var(x) of each channel, averaged over channels.");
        yield return ("L0, dead features", "Mean number of active features in a cell; share of features that are active in no cell.");
        yield return ("PSNR", "Peak signal-to-noise ratio of the 8-bit pictures against the plain ones, mean over pictures that differ.");
        yield return ("Match", "Each feature of the smaller dictionary is paired with one of the other so that the sum of cosines is "
            + "largest.");
        yield return ("Leakage", "Mean change of the pixels outside the cells / mean change inside.");
        if (judge is null)
            yield break;
        yield return ("Judge", judge.Name);
        yield return ("AUC, IoU", "Area under the ROC curve of the scores of all cells; intersection over union of the cells from a "
            + "threshold on, which is the one with the largest IoU on the pictures to choose on.");
        yield return ("Methods", "feature: the one with the largest correlation with the element's cells. concept: the five with the "
            + "largest difference of shares of all activation. difference of means: mean output of the block in the element's cells less "
            + "that in others. neuron: the output's channel with the largest correlation. replace-…: the cells that the concept finds "
            + "are replaced. prompt: the caption with or without the element, same seed.");
        yield return ("Strengths", "Feature and concept paint multiples of the mean activation, and remove by scaling with -strength; "
            + "difference of means and neuron add or subtract multiples of the difference. Of several strengths, and of all sites, the "
            + "best on the pictures for choosing count, by success * retention * (1 - artefacts).");
        yield return ("Success", judge.Success);
        yield return ("Retention", judge.Retention);
        yield return ("Artefacts", judge.Artefacts);
    }
}
