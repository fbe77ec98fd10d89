namespace SaeUnbox.Mini.Training;

/// <summary>Where training stands.</summary>
/// <param name="Stage">"decoder", "network", "activations", then "autoencoder" and its site.</param>
/// <param name="Step">Steps done of the stage.</param>
/// <param name="Steps">Steps of the stage.</param>
/// <param name="Figures">Named figures: losses and the like, averaged over the last steps.</param>
/// <param name="ImagesPerSecond">Training pictures a second since the last report.</param>
/// <param name="Left">Time left in the stage at this speed.</param>
public sealed record MiniTrainingReport(
    string Stage, int Step, int Steps, IReadOnlyDictionary<string, double> Figures, double ImagesPerSecond, TimeSpan Left);

/// <summary>Is told how training goes; called on the training thread.</summary>
public interface IMiniTrainingProgress
{
    void Report(MiniTrainingReport report);

    /// <summary>A checkpoint was written; <paramref name="picture"/> is the sheet of samples made with it, if any.</summary>
    void Saved(string stage, int step, string path, string? picture);
}
