#!/usr/bin/env bash
# TorchSharp 0.107.0: torch.div(a, b, RoundingMode.floor) and its trunc divide without rounding, unlike PyTorch's and unlike the method
# a.div(b, RoundingMode.floor), which rounds. Seen: "torch.div 3.5, Tensor.div 3".
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
var (a, b) = (tensor(new[] { 7f }), tensor(new[] { 2f }));
Console.WriteLine(FormattableString.Invariant($"torch.div {div(a, b, RoundingMode.floor).item<float>()}, Tensor.div {a.div(b, RoundingMode.floor).item<float>()}"));
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
grep -qx 'torch.div 3.5, Tensor.div 3' out.txt
