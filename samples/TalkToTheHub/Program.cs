// Opens a canvas on a running studio, paints a sea over the lower half of a beach, and saves the picture. docs/hub.md describes the calls.
//   dotnet run --project samples/TalkToTheHub -c Release -- [STUDIO] [FILE]
using System.Threading.Channels;
using Microsoft.AspNetCore.SignalR.Client;
using SaeUnbox.Core;

var studio = args.ElementAtOrDefault(0) ?? "http://localhost:5080";
var file = args.ElementAtOrDefault(1) ?? "frame.jpg";
const int rows = 16, columns = 16; // the grid of down.2.1 in unbox-mini's pictures

var frames = Channel.CreateUnbounded<Frame>();
await using var hub = new HubConnectionBuilder().WithUrl($"{studio.TrimEnd('/')}/hubs/paint?version=2").Build();
hub.On<Frame>("Frame", frame => frames.Writer.TryWrite(frame));
hub.On<Rejection>("Rejected", rejection =>
{
    // With a time the canvas tries again on its own.
    if (rejection.RetryAfterSeconds is null)
        frames.Writer.TryComplete(new InvalidOperationException(rejection.Message));
});
hub.Closed += fault =>
{
    frames.Writer.TryComplete(fault);
    return Task.CompletedTask;
};
await hub.StartAsync();

// What the recipe leaves out is the model's own.
var canvas = await hub.InvokeAsync<CanvasState>("Open", null,
    """
    {"prompt":"palm trees on the beach, hills behind, a clear sky","seed":10,"edits":[{"site":"down.2.1","feature":434,"strength":8}]}
    """);
Console.WriteLine($"version {canvas.Version}: {canvas.Recipe}");

var cells = new float[rows * columns];
cells.AsSpan(rows / 2 * columns).Fill(1);
var mask = BrushMask.FromCells(rows, columns, cells).ToString();
Answer answer;
while ((answer = await hub.InvokeAsync<Answer>("Paint", 0, mask, true)).RetryAfterSeconds is { } seconds)
    await Task.Delay(TimeSpan.FromSeconds(seconds));

await foreach (var frame in frames.Reader.ReadAllAsync())
{
    if (frame.Version < answer.Version)
        continue;
    await File.WriteAllBytesAsync(file, frame.Picture);
    Console.WriteLine($"version {frame.Version}: {file}, {frame.MediaType}");
    break;
}

internal sealed record CanvasState(string Canvas, long Version, string Recipe);

internal sealed record Answer(long Version, double? RetryAfterSeconds);

internal sealed record Frame(long Version, string MediaType, byte[] Picture);

internal sealed record Rejection(long Version, string Message, double? RetryAfterSeconds);
