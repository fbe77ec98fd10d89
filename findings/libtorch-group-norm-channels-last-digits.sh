#!/usr/bin/env bash
# libtorch 2.10.0 (CPU), float32: group_norm of a tensor in channels-last memory loses digits where a group's mean is large beside its spread;
# the same values in the usual order keep them. One would expect the memory order to change speed alone. Against float64, mean 1000, spread 1:
# the largest error is above 0.1 in channels-last order and below 0.001 in the usual one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >find.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="TorchSharp" Version="[0.107.0]" />
    <PackageReference Include="libtorch-cpu-linux-x64" Version="[2.10.0]" />
  </ItemGroup>
  <!-- Debian 12 lacks a symbol version that the library names and does not use: the copy in the output folder gets it marked as weak. -->
  <Target Name="Weak" AfterTargets="Build">
    <Exec Command="python3 -c &quot;p='$(OutDir)runtimes/linux-x64/native/libLibTorchSharp.so';b=bytearray(open(p,'rb').read());i=b.find(bytes.fromhex('42f8970200001200'));b[i+4]|=2 if i&gt;0 else 0;open(p,'wb').write(b)&quot;" />
  </Target>
</Project>
X
cat >Program.cs <<'X'
using TorchSharp;
using static TorchSharp.torch;
using var scope = NewDisposeScope();
manual_seed(1);
var exact = randn([1, 32, 16, 16], dtype: ScalarType.Float64) + 1000;
var x = exact.to_type(ScalarType.Float32);
var truth = nn.functional.group_norm(x.to_type(ScalarType.Float64), 8);
double Error(Tensor input) => (nn.functional.group_norm(input, 8).to_type(ScalarType.Float64) - truth).abs().max().item<double>();
var (last, usual) = (Error(x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)), Error(x));
Console.WriteLine(FormattableString.Invariant($"channels last {last:e1}, usual order {usual:e1}"));
Console.WriteLine(last > .1 && usual < .001 ? "as described" : "otherwise");
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
grep -qx 'as described' out.txt
