namespace SaeUnbox.Models;

/// <summary>
/// Finds a model's weights in what training scripts save: a state dict beside an optimizer, or names with the prefix that DataParallel
/// (<c>module.</c>) or torch.compile (<c>_orig_mod.</c>) adds.
/// </summary>
public static class StateDicts
{
    private static readonly string[] Containers = ["state_dict", "model_state_dict", "model"];
    private static readonly string[] Prefixes = ["module.", "_orig_mod."];

    /// <summary>Parts of a first key that mark what training keeps beside the model. Anything else counts as part of the model.</summary>
    private static readonly string[] TrainingMarks =
    [
        "optim", "sched", "ema", "scaler", "callback", "loops", "rng", "random", "step", "epoch", "loss", "metric", "args", "config",
        "hyper_parameters", "hparams",
    ];

    /// <summary>The weights under their own names; the source itself if it has nothing around them.</summary>
    /// <param name="source">A checkpoint, or a renamed view of one.</param>
    /// <param name="note">Called with a sentence about what was left out and stripped; not called if nothing was.</param>
    public static IWeightSource Unwrap(IWeightSource source, Action<string>? note = null)
    {
        var names = source.Names.ToList();
        var container = Array.Find(Containers, key => IsContainer(names, key));
        var (start, leftOut) = ("", Array.Empty<string>());
        if (container is not null)
        {
            start = $"{container}.";
            leftOut = [.. names.Where(name => !Starts(name, start)).Select(FirstKey).Distinct().Order(StringComparer.Ordinal)];
            names.RemoveAll(name => !Starts(name, start));
        }
        var prefix = start;
        while (Array.Find(Prefixes, next => names.Count > 0 && names.TrueForAll(name => Starts(name, prefix + next))) is { } shared)
            prefix += shared;
        if (prefix.Length == 0)
            return source;

        note?.Invoke(Describe(source.Description, container, leftOut, prefix[start.Length..]));
        return new RenamedSource(source, name => Starts(name, prefix) ? name[prefix.Length..] : null);
    }

    /// <summary>All names outside the container belong to training, not to the model.</summary>
    private static bool IsContainer(List<string> names, string key) => names.Exists(name => Starts(name, $"{key}."))
        && names.TrueForAll(name => FirstKey(name) is var first && (first == key
            || Array.Exists(TrainingMarks, mark => first.Contains(mark, StringComparison.OrdinalIgnoreCase))));

    private static string Describe(string source, string? container, string[] leftOut, string prefix)
    {
        var text = $"{source}: the weights are taken";
        if (container is not null)
            text += $" from '{container}'";
        if (leftOut.Length > 0)
            text += $", without {string.Join(", ", leftOut)}";
        if (prefix.Length > 0)
            text += $", and '{prefix}' before their names is stripped";
        return text + ".";
    }

    private static string FirstKey(string name) => name.Split('.', 2)[0];

    private static bool Starts(string name, string prefix) => name.StartsWith(prefix, StringComparison.Ordinal);
}
