#!/usr/bin/env bash
# TorchVision 0.107.0 (over TorchSharp 0.107.0): transforms.functional.gaussian_blur, and with it transforms.GaussianBlur, does not blur.
# One would expect the kernel of Python's torchvision: exp(-x²/2σ²) over its sum, largest in the middle. Here the exponential is left out,
# so the weights are x²/2σ² over their sum: 0 in the middle row and column, largest in the corners, and the same for every sigma.
# A dot under a 3x3 kernel becomes four dots at the corners and vanishes itself; Python's keeps 0.204 of it in place for sigma 1.
# Seen, for sigma 1 and for sigma 0.5 alike: "0.25 0 0.25 / 0 0 0 / 0.25 0 0.25".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >find.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="TorchSharp" Version="[0.107.0]" />
    <PackageReference Include="TorchVision" Version="[0.107.0]" />
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
var dot = zeros(1, 1, 5, 5);
dot[0, 0, 2, 2] = tensor(1f);
foreach (var sigma in new[] { 1f, .5f })
{
    var around = torchvision.transforms.functional.gaussian_blur(dot, 3, sigma)[0, 0].slice(0, 1, 4, 1).slice(1, 1, 4, 1);
    var rows = around.contiguous().data<float>().ToArray().Chunk(3).Select(row => FormattableString.Invariant($"{row[0]} {row[1]} {row[2]}"));
    Console.WriteLine(string.Join(" / ", rows));
}
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
[ "$(sort -u out.txt)" = '0.25 0 0.25 / 0 0 0 / 0.25 0 0.25' ] && [ "$(wc -l <out.txt)" -eq 2 ]
