// Collects what a block adds for a few captions, trains a small dictionary on it, and says how good that is.
//   dotnet run --project samples/TrainADictionary -c Release -- [FOLDER]
// A dictionary worth using wants some hundred thousand captions; docs/lab.md goes the whole way.
using SaeUnbox.Core;
using SaeUnbox.Lab;
using SaeUnbox.Models;
using SaeUnbox.Steering;

Libtorch.Prepare();
var folder = args.ElementAtOrDefault(0) ?? "dictionary";
var site = Site.Middle;
string[] texts = ["a house on a hill", "a boat at sea, sunset", "a pine tree on snow", "two birds in a cloudy sky"];

using var model = LoadedModel.Load(new ModelOptions { Folder = EmbeddedModel.ModelFolder });
var data = Path.Combine(folder, "data");
ActivationCollector.Run(model, new CollectionRequest
{
    Sites = [site],
    Captions = [.. texts.Select((text, i) => new Caption(text, Seed: i))],
    Width = model.Info.Width,
    Height = model.Info.Height,
}, data);
var collection = ActivationCollection.Open(data, site);
Console.WriteLine($"{site}: {collection.Rows} vectors of {collection.Width} channels");

var options = new TrainingOptions { Features = 256, K = 8, AuxK = 32, BatchSize = 64, LearningRate = 1e-3 };
var trained = TrainingSession.Run(new TrainingPlan(site, [options], Steps: 300), collection, Path.Combine(folder, "saes"));

using var sae = SaeLoader.Load(trained[0]);
var report = ActivationStatistics.Measure(sae, collection);
Console.WriteLine(FormattableString.Invariant(
    $"{trained[0]}: explained variance {report.ExplainedVariancePooled:0.000}, {report.Dead} of {sae.Config.Features} features dead"));
