#!/usr/bin/env bash
# TorchSharp 0.107.0: torch.baddbmm(input, batch1, batch2) should be input + batch1 @ batch2, as PyTorch's is and as its parameters are named.
# It is input @ batch1 + batch2: it hands its operands on to a method whose own tensor is the first factor and whose last is the summand.
# Seen: "10000 + 2 * 3 gives 20003".
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
Tensor Of(float value) => full([1, 1, 1], value);
var (input, first, second) = (Of(10000), Of(2), Of(3));
Console.WriteLine(FormattableString.Invariant($"10000 + 2 * 3 gives {baddbmm(input, first, second).item<float>()}"));
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
grep -qx '10000 + 2 \* 3 gives 20003' out.txt
