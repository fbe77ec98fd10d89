#!/usr/bin/env bash
# Microsoft.ML.OnnxRuntime 1.31.1 on x86-64: ConvInteger with int8 weights takes seven times as long as with the same weights as uint8. One
# would expect int8 to be the faster one: the results are equal, and MatMulInteger is faster with int8 weights where the processor has VNNI.
# Earlier releases did not compute ConvInteger with int8 weights at all. This one multiplies weights by activations, in this order, and for a
# signed first factor the library has only a plain loop on this processor; its guide to quantization warns of int8 activations alone.
# quantize_dynamic takes int8 weights by default, so a model with convolutions can become slower than in float32: the U-Net of SDXL takes
# 11 s, in float32 7.7 s, and with uint8 weights in the convolutions alone 3.4 s.
# Seen: "same results: True; int8 weights take more than three times as long: True" (0.9 and 6.4 ms).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >find.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup><PackageReference Include="Microsoft.ML.OnnxRuntime" Version="[1.31.1]" /></ItemGroup>
</Project>
X
cat >Program.cs <<'X'
using System.Text;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
// Writes the model as protocol buffers, with the field numbers of onnx.proto.
byte[] Number(ulong n) => n < 128 ? [(byte)n] : [(byte)(n | 128), .. Number(n >> 7)];
byte[] Int(int field, int value) => [.. Number((ulong)field << 3), .. Number((ulong)value)];
byte[] Part(int field, params byte[][] parts) =>
    [.. Number((ulong)field << 3 | 2), .. Number((ulong)parts.Sum(part => part.Length)), .. parts.SelectMany(part => part)];
byte[] Text(int field, string text) => Part(field, Encoding.UTF8.GetBytes(text));
byte[] Constant(string name, int type, int[] shape, byte[] data) =>
    Part(5, [.. shape.Select(side => Int(1, side)), Int(2, type), Text(8, name), Part(9, data)]);
byte[] Value(int field, string name, int type, int[] shape) =>
    Part(field, Text(1, name), Part(2, Part(1, Int(1, type), Part(2, [.. shape.Select(side => Part(1, Int(1, side)))]))));
const int UInt8 = 2, Int8 = 3, Int32 = 6, Channels = 256, Side = 16;
int[] image = [1, Channels, Side, Side];

(double Milliseconds, int[] Values) Run(int type)
{
    var random = new Random(1);
    var zero = type == Int8 ? 0 : 128;
    var weights = Enumerable.Range(0, Channels * Channels * 9).Select(_ => (byte)(random.Next(-127, 128) + zero)).ToArray();
    var pads = Part(5, [Text(1, "pads"), .. Enumerable.Repeat(Int(8, 1), 4), Int(20, 7)]);
    var node = Part(1, [.. "x w xz wz".Split(' ').Select(name => Text(1, name)), Text(2, "y"), Text(4, "ConvInteger"), pads]);
    var graph = Part(7, node, Text(2, "g"), Value(11, "x", UInt8, image), Value(12, "y", Int32, image),
        Constant("w", type, [Channels, Channels, 3, 3], weights), Constant("xz", UInt8, [], [99]), Constant("wz", type, [], [(byte)zero]));
    using var session = new InferenceSession([.. Int(1, 8), .. Part(8, Text(1, ""), Int(2, 13)), .. graph],
        new SessionOptions { IntraOpNumThreads = 1 });
    var pixels = Enumerable.Range(0, Channels * Side * Side).Select(_ => (byte)random.Next(256)).ToArray();
    NamedOnnxValue[] inputs = [NamedOnnxValue.CreateFromTensor("x", new DenseTensor<byte>(pixels, image))];
    var runs = Enumerable.Range(0, 20).Select(_ =>
    {
        var start = Environment.CpuUsage.TotalTime;
        using var results = session.Run(inputs);
        return ((Environment.CpuUsage.TotalTime - start).TotalMilliseconds, results[0].AsEnumerable<int>().ToArray());
    }).ToList();
    return (runs.Min(run => run.TotalMilliseconds), runs[0].Item2);
}
var (expected, found) = (Run(UInt8), Run(Int8));
Console.Error.WriteLine(FormattableString.Invariant($"{expected.Milliseconds:F1} and {found.Milliseconds:F1} ms"));
var isSlow = found.Milliseconds > 3 * expected.Milliseconds;
Console.WriteLine($"same results: {found.Values.SequenceEqual(expected.Values)}; int8 weights take more than three times as long: {isSlow}");
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
grep -qx 'same results: True; int8 weights take more than three times as long: True' out.txt
