#!/usr/bin/env bash
# System.Numerics.Tensors 11.0.0: TensorPrimitives.Average<Half> of 8192 ones is 0.25, and of 65536 ones it is 0. One would expect 1: the
# documentation says that it gives the mean (and speaks of NaN alone), PyTorch and NumPy take the mean of float16 with a float32 sum, and this
# library's own CosineSimilarity<Half> is right where a half-precision sum would be infinite. But Sum<Half> adds one value after the other in
# half precision, where 2048 + 1 is 2048 again, and Average divides what Sum gives. So does SoftMax<Half>: of 4096 zeros the shares add up to 2.
# Seen: "average of 8192 ones 0.25, of 65536 ones 0; shares of a softmax 2; cosine of 65536 eights 1".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >find.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup><PackageReference Include="System.Numerics.Tensors" Version="[11.0.0]" /></ItemGroup>
</Project>
X
cat >Program.cs <<'X'
using System.Numerics.Tensors;
Half[] Ones(int count) => [.. Enumerable.Repeat((Half)1, count)];
double Average(int count) => (double)TensorPrimitives.Average<Half>(Ones(count));
var shares = new Half[4096];
TensorPrimitives.SoftMax<Half>(new Half[4096], shares);
var whole = shares.Sum(share => (double)share);
Half[] eights = [.. Enumerable.Repeat((Half)8, 65536)];
var cosine = (double)TensorPrimitives.CosineSimilarity<Half>(eights, eights);
var averages = FormattableString.Invariant($"average of 8192 ones {Average(8192)}, of 65536 ones {Average(65536)}");
Console.WriteLine(FormattableString.Invariant($"{averages}; shares of a softmax {whole}; cosine of 65536 eights {cosine}"));
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
grep -qx 'average of 8192 ones 0.25, of 65536 ones 0; shares of a softmax 2; cosine of 65536 eights 1' out.txt
