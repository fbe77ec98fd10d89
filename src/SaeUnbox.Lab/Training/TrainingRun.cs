using TorchSharp;

namespace SaeUnbox.Lab;

/// <summary>Several autoencoders trained in one pass over the same vectors.</summary>
public sealed class TrainingRun : IDisposable
{
    public TrainingRun(IReadOnlyList<SaeTrainer> trainers)
    {
        Trainers = trainers;
    }

    public IReadOnlyList<SaeTrainer> Trainers { get; }

    /// <summary>One step of each on a batch [rows, d]; reports in the trainers' order.</summary>
    public IReadOnlyList<StepReport> Step(torch.Tensor batch)
    {
        var reports = new StepReport[Trainers.Count];
        for (var i = 0; i < reports.Length; i++)
            reports[i] = Trainers[i].Step(batch);
        return reports;
    }

    public void Dispose()
    {
        foreach (var trainer in Trainers)
            trainer.Dispose();
    }
}
