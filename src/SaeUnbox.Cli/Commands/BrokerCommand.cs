using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>broker</c>: the workers, queues and set-aside jobs of a site of many machines.</summary>
internal static class BrokerCommand
{
    private const string UriVariable = "SaeUnbox__RabbitMq__Uri", All = "all";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    public static Command Create(Terminal terminal)
    {
        var requeue = new Option<string[]>("--requeue") { Description = "Hand set-aside jobs to the workers again: their ids, or the word all.", HelpName = "ID" };
        var uri = new Option<string?>("--uri") { Description = $"The broker, as the web nodes have it; better given by {UriVariable}, since it holds a password.", HelpName = "AMQP" };
        var prefix = new Option<string>("--prefix") { Description = "With what the names of its queues begin.", DefaultValueFactory = _ => new RabbitMqOptions().Prefix };
        var model = new Option<string[]>("--model") { Description = "List the queues of these models, too, whether a worker has them or not.", HelpName = "NAME", AllowMultipleArgumentsPerToken = true };
        var json = new Option<bool>("--json") { Description = "Print all as JSON." };
        var command = new Command("broker", "Show workers, queues and jobs that were set aside; hand those out again.") { requeue, uri, prefix, model, json };
        command.SetGuardedAction(terminal, async (parsed, cancellation) =>
        {
            var address = parsed.GetValue(uri) ?? Environment.GetEnvironmentVariable(UriVariable) ?? throw new CliException($"--uri: name the broker, or set {UriVariable}.");
            var words = parsed.GetValue(requeue) ?? [];
            var ids = words is [All] ? null : Ids(words);
            await using var admin = await BrokerAdmin.ConnectAsync(new() { Uri = address, Prefix = parsed.GetRequiredValue(prefix) }, cancellation);
            if (words.Length > 0)
                terminal.Note($"{await admin.RequeueAsync(ids, cancellation)} jobs were handed out again");
            var workers = await admin.WorkersAsync(Patience, cancellation);
            var dead = await admin.DeadAsync(cancellation: cancellation);
            IEnumerable<string> models = [.. workers.SelectMany(worker => worker.Models).Select(held => held.Name), .. parsed.GetValue(model) ?? [], .. dead.Select(job => job.Model).OfType<string>()];
            var queues = await admin.QueuesAsync(models.Distinct(), cancellation);
            if (parsed.GetValue(json))
                terminal.Output.WriteLine(Json.Text(Node(workers, queues, dead)));
            else
                Write(terminal.Output, workers, queues, dead);
        });
        return command;
    }

    private static Guid[] Ids(string[] words) =>
        [.. words.Select(word => Guid.TryParse(word, out var id) ? id : throw new CliException($"--requeue {Line.Quote(word)}: it is no job's id; all stands for every one."))];

    private static void Write(TextWriter output, IReadOnlyList<WorkerInfo> workers, IReadOnlyList<QueueDepth> queues, IReadOnlyList<DeadJob> dead)
    {
        foreach (var worker in workers)
            output.WriteLine(Line.Of($"worker {worker.Name} on {worker.Device}: {string.Join(", ", worker.Models.Select(model => model.Name))}; {(worker.Doing is { } job ? $"does {job}" : "idle")}{Average(worker)}"));
        foreach (var queue in queues)
            output.WriteLine(Line.Of($"queue {queue.Queue}: {queue.Messages}"));
        foreach (var job in dead)
            output.WriteLine(Line.Of($"set aside {(job.Job is { } id ? $"{id} of {job.Model}" : "a message that is no job")}: {job.Reason}"));
    }

    private static string Average(WorkerInfo worker) =>
        worker.ServiceTime is { } time ? string.Create(CultureInfo.InvariantCulture, $"; {time.TotalMilliseconds:0} ms a job") : "";

    private static JsonObject Node(IReadOnlyList<WorkerInfo> workers, IReadOnlyList<QueueDepth> queues, IReadOnlyList<DeadJob> dead) => new()
    {
        ["workers"] = new JsonArray([.. workers.Select(worker => (JsonNode)new JsonObject
        {
            ["name"] = worker.Name, ["device"] = worker.Device, ["models"] = new JsonArray([.. worker.Models.Select(model => (JsonNode)model.Name)]),
            ["doing"] = worker.Doing?.ToString(), ["millisecondsPerJob"] = worker.ServiceTime?.TotalMilliseconds,
        })]),
        ["queues"] = new JsonArray([.. queues.Select(queue => (JsonNode)new JsonObject { ["name"] = queue.Queue, ["messages"] = queue.Messages })]),
        ["dead"] = new JsonArray([.. dead.Select(job => (JsonNode)new JsonObject { ["job"] = job.Job?.ToString(), ["model"] = job.Model, ["reason"] = job.Reason })]),
    };
}
