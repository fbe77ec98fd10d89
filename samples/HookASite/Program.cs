// Watches one site of the U-Net while a picture is made, and prints what the site reads and what it adds.
//   dotnet run --project samples/HookASite -c Release -- [SITE] [MODEL]
// SITE is a transformer such as mid.0 (default: down.2.1), MODEL a folder in diffusers' layout (default: the model that ships).
using SaeUnbox.Core;
using SaeUnbox.Models;
using SaeUnbox.Steering;
using static TorchSharp.torch;

Libtorch.Prepare();
var site = Site.Parse(args.ElementAtOrDefault(0) ?? "down.2.1");
using var pipeline = DiffusionPipeline.Load(args.ElementAtOrDefault(1) ?? EmbeddedModel.ModelFolder);
Console.WriteLine($"sites: {string.Join(' ', pipeline.Sites.Select(shape => shape.Site))}");

// Tensors that are not moved out of a scope are freed with it. The hook comes off with its own scope.
using (NewDisposeScope())
using (pipeline.Hook(site, Watch))
    pipeline.Generate(new ImageRequest { Prompts = ["a boat at sea"], Seeds = [42], Width = 512, Height = 512 });

// A hook returns what goes on in the output's place: here the output itself.
Tensor Watch(Tensor input, Tensor output)
{
    using var scope = NewDisposeScope();
    Print("reads", input);
    Print("adds", output - input);
    return output;
}

// Arithmetic with numbers goes through SaeUnbox.Models.Arithmetic: x.Times(2), not x * 2, which may lose its number to the garbage
// collector.
void Print(string what, Tensor x)
{
    var values = x.to(ScalarType.Float32);
    var (mean, rms) = (values.mean().item<float>(), values.Square().mean().sqrt().item<float>());
    Console.WriteLine(FormattableString.Invariant(
        $"{site} {what} [{string.Join(", ", x.shape)}]: mean {mean:0.0000}, root mean square {rms:0.0000}"));
}
