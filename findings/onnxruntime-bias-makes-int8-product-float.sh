#!/usr/bin/env bash
# Microsoft.ML.OnnxRuntime 1.31.1: a bias makes a product of 8 bits run in float32. A model in QDQ form (QuantizeLinear and DequantizeLinear
# around each input) with MatMul gets MatMulIntegerToFloat, a product in 8 bits. With an Add of a bias after MatMul, as most linear layers
# have, one would expect the same, since MatMulIntegerToFloat takes a bias. But an earlier pass makes a Gemm of MatMul and Add, and Gemm in
# 8 bits wants a bias in int32. So the Gemm stays in float32, and the weights are converted to float32 anew in every run: 1.2 ms instead of
# 0.3 for sides of 512. Such models come from quantize_static with OpTypesToExcludeOutputQuantization for MatMul, for instance.
# Seen, the operators of the optimised model:
#   product: QuantizeLinear, MatMulIntegerToFloat
#   product and bias: QuantizeLinear, DequantizeLinear, Gemm
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
const int Float = 1, UInt8 = 2, Int8 = 3, Side = 64;
// Writes the model as protocol buffers, with the field numbers of onnx.proto.
byte[] Number(ulong n) => n < 128 ? [(byte)n] : [(byte)(n | 128), .. Number(n >> 7)];
byte[] Int(int field, int value) => [.. Number((ulong)field << 3), .. Number((ulong)value)];
byte[] Part(int field, params byte[][] parts) =>
    [.. Number((ulong)field << 3 | 2), .. Number((ulong)parts.Sum(part => part.Length)), .. parts.SelectMany(part => part)];
byte[] Text(int field, string text) => Part(field, Encoding.UTF8.GetBytes(text));
byte[] Constant(string name, int type, int[] shape, byte[] data) =>
    Part(5, [.. shape.Select(side => Int(1, side)), Int(2, type), Text(8, name), Part(9, data)]);
byte[] Value(int field, string name) =>
    Part(field, Text(1, name), Part(2, Part(1, Int(1, Float), Part(2, Part(1, Int(1, Side)), Part(1, Int(1, Side))))));
byte[] Node(string type, string inputs, string output) =>
    Part(1, [.. inputs.Split(' ').Select(input => Text(1, input)), Text(2, output), Text(4, type)]);

void Show(string title, params byte[][] product)
{
    byte[][] nodes =
    [
        Node("QuantizeLinear", "x scale zero", "xq"),
        Node("DequantizeLinear", "xq scale zero", "xd"),
        Node("DequantizeLinear", "w scale wzero", "wd"),
        .. product,
    ];
    var graph = Part(7, [.. nodes, Text(2, "g"), Value(11, "x"), Value(12, "out"), Constant("w", Int8, [Side, Side], new byte[Side * Side]),
        Constant("scale", Float, [], BitConverter.GetBytes(0.5f)), Constant("zero", UInt8, [], [128]), Constant("wzero", Int8, [], [0]),
        Constant("bias", Float, [Side], new byte[4 * Side])]);
    var options = new SessionOptions { OptimizedModelFilePath = "optimized.onnx", LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
    new InferenceSession([.. Int(1, 8), .. Part(8, Text(1, ""), Int(2, 13)), .. graph], options).Dispose();
    var optimized = Encoding.Latin1.GetString(File.ReadAllBytes("optimized.onnx"));
    string[] types = ["QuantizeLinear", "DequantizeLinear", "MatMulIntegerToFloat", "MatMul", "Add", "Gemm"];
    // A node's type is field 4: its tag, the length, the name.
    Console.WriteLine($"{title}: {string.Join(", ", types.Where(type => optimized.Contains($"\x22{(char)type.Length}{type}")))}");
}
Show("product", Node("MatMul", "xd wd", "out"));
Show("product and bias", Node("MatMul", "xd wd", "y"), Node("Add", "y bias", "out"));
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
product: QuantizeLinear, MatMulIntegerToFloat
product and bias: QuantizeLinear, DequantizeLinear, Gemm
X
