namespace SaeUnbox.Models;

/// <summary>Says what an import in a pickle is that a file of weights does not need, and what to do instead.</summary>
internal static class PickleImports
{
    private const string NothingRun = "nothing of it was run";
    private const string SaveStates = "save only its tensors, with torch.save(model.state_dict(), …), or as safetensors";

    /// <summary>For old files that pickle a module together with its source.</summary>
    public const string WholeModule = $"it holds a whole pickled module with its source; {NothingRun}; {SaveStates}";

    private static readonly string[] Containers = ["omegaconf.", "pathlib", "datetime", "collections.defaultdict", "easydict", "box."];

    /// <returns>The end of a sentence that names the file.</returns>
    public static string Explain(string module, string name)
    {
        var import = $"{module}.{name}";
        if (import == "argparse.Namespace")
            return $"it holds an argparse.Namespace, the options of a training script; {NothingRun}; save it again without them "
                + "(or with vars(options))";
        if (module.Split('.')[0] == "numpy")
            return $"it holds NumPy values ({import}); {NothingRun}; save it again with plain numbers (value.item()) and tensors "
                + "(torch.from_numpy)";
        if (name.StartsWith("QInt", StringComparison.Ordinal) || name.StartsWith("QUInt", StringComparison.Ordinal)
            || name == "_rebuild_qtensor")
            return $"it holds quantised tensors ({import}); save it again in float32, with tensor.dequantize()";
        if (module == "torch._utils" && name.Contains("sparse", StringComparison.Ordinal))
            return $"it holds sparse tensors ({import}); save it again with tensor.to_dense()";
        if (module == "torch._utils" && name.StartsWith("_rebuild", StringComparison.Ordinal))
            return $"it holds tensors of a kind that has no plain data ({import}); save it again with ordinary tensors";
        if (module.StartsWith("__torch__", StringComparison.Ordinal))
            return $"it is a TorchScript program ({import}), not a file of weights; {NothingRun}; {SaveStates}";
        if (Array.Exists(Containers, start => import.StartsWith(start, StringComparison.Ordinal)))
            return $"it holds a value of the class {import} beside the tensors; {NothingRun}; save it again without it";
        return char.IsUpper(name.FirstOrDefault())
            ? $"it holds a whole object of the class {import}, which only that class's code could rebuild; {NothingRun}; {SaveStates}"
            : $"its pickle imports '{import}', which files of weights do not need; {NothingRun}";
    }
}
