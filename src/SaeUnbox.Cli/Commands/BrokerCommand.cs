namespace SaeUnbox.Cli.Commands;

/// <summary><c>broker</c>: shows the workers, queues and failed jobs of a deployment over RabbitMQ.</summary>
internal static class BrokerCommand
{
    private const string UriVariable = "SaeUnbox__RabbitMq__Uri", All = "all";
    private static readonly TimeSpan WorkerTimeout = TimeSpan.FromSeconds(1);

    public static Command Create(Terminal terminal)
    {
        var requeue = Setting.Of<string[]>("--requeue", "ID", "Queue a job that was set aside again; may be repeated, or be the word all.");
        var uri = Setting.Of<string?>("--uri", "AMQP",
            $"Address of the broker. Better set {UriVariable}, because the address contains a password.");
        var prefix = Setting.Of("--prefix", "NAME", "Start of the names of the queues.", new RabbitMqOptions().Prefix);
        var model = new Option<string[]>("--model")
        {
            Description = "Also list the queues of these models, which may have no worker.",
            HelpName = "NAME",
            AllowMultipleArgumentsPerToken = true,
        };
        var json = Setting.Switch("--json", "Print everything as JSON.");
        return terminal.NewCommand("broker", "Show workers, queues and jobs that were set aside; queue those again.",
            [requeue, uri, prefix, model, json], async (parsed, cancellation) =>
        {
            var address = parsed.GetValue(uri) ?? Environment.GetEnvironmentVariable(UriVariable)
                ?? throw new CliException($"--uri: name the broker, or set {UriVariable}.");
            var words = parsed.GetValue(requeue) ?? [];
            var ids = words is [All] ? null : Ids(words);
            RabbitMqOptions options = new() { Uri = address, Prefix = parsed.GetRequiredValue(prefix) };
            await using var admin = await BrokerAdmin.ConnectAsync(options, cancellation);
            if (words.Length > 0)
                terminal.Note($"{await admin.RequeueAsync(ids, cancellation)} jobs were queued again");
            var workers = await admin.WorkersAsync(WorkerTimeout, cancellation);
            var dead = await admin.DeadAsync(cancellation);
            IEnumerable<string> models =
            [
                .. workers.SelectMany(worker => worker.Models).Select(held => held.Name), .. parsed.GetValue(model) ?? [],
                .. dead.Select(job => job.Model).OfType<string>(),
            ];
            var queues = await admin.QueuesAsync(models.Distinct(), cancellation);
            if (parsed.GetValue(json))
                terminal.Output.WriteLine(Json.Text(Node(workers, queues, dead)));
            else
                Write(terminal.Output, workers, queues, dead);
        });
    }

    private static Guid[] Ids(string[] words) => [.. words.Select(word => Guid.TryParse(word, out var id)
        ? id
        : throw new CliException($"--requeue {Line.Quote(word)}: not the id of a job; use an id, or the word all."))];

    private static void Write(
        TextWriter output, IReadOnlyList<WorkerInfo> workers, IReadOnlyList<QueueDepth> queues, IReadOnlyList<DeadJob> dead)
    {
        foreach (var worker in workers)
        {
            var models = string.Join(", ", worker.Models.Select(model => model.Name));
            var work = worker.Doing is { } job ? $"does {job}" : "idle";
            output.WriteLine(Line.Of($"worker {worker.Name} on {worker.Device}: {models}; {work}{Average(worker)}"));
        }
        foreach (var queue in queues)
            output.WriteLine(Line.Of($"queue {queue.Queue}: {queue.Messages}"));
        foreach (var job in dead)
            output.WriteLine(Line.Of(
                $"set aside {(job.Job is { } id ? $"{id} of {job.Model}" : "a message that is not a job")}: {job.Reason}"));
    }

    private static string Average(WorkerInfo worker) =>
        worker.ServiceTime is { } time ? string.Create(CultureInfo.InvariantCulture, $"; {time.TotalMilliseconds:0} ms per job") : "";

    private static object Node(IReadOnlyList<WorkerInfo> workers, IReadOnlyList<QueueDepth> queues, IReadOnlyList<DeadJob> dead) => new
    {
        workers = workers.Select(worker => new
        {
            name = worker.Name,
            device = worker.Device,
            models = worker.Models.Select(model => model.Name),
            doing = worker.Doing,
            millisecondsPerJob = worker.ServiceTime?.TotalMilliseconds,
        }),
        queues = queues.Select(queue => new { name = queue.Queue, messages = queue.Messages }),
        dead,
    };
}
